"""Rollout view: the cluster as a rollout policy sees it, with its groups and where training stands."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from simcore.books.draw import uniform
from simcore.contract import GroupView, Load, Role
from simcore.simulator.request_views import LiveRequests

if TYPE_CHECKING:
    from simcore.simulator.rollout import Rollouts
    from simcore.simulator.simulator import Simulator
    from simcore.simulator.views import LiveInstance


class LiveRollout:
    """A `RolloutView` over the simulator."""

    __slots__ = ("_rollouts", "_seed", "_simulator", "requests")

    def __init__(self, simulator: "Simulator", rollouts: "Rollouts", seed: int, oracle: frozenset[str]) -> None:
        self._simulator = simulator
        self._rollouts = rollouts
        self._seed = seed
        self.requests = LiveRequests(simulator, oracle)

    @property
    def now_s(self) -> float:
        return self._simulator.view.now_s

    @property
    def instances(self) -> "Sequence[LiveInstance]":
        return self._simulator.view.instances

    @property
    def up(self) -> "Sequence[LiveInstance]":
        return self._simulator.view.up

    def least(self, load: Load, role: Role | None = None) -> int:
        return self._simulator.view.least(load, role)

    def draw(self, *key: int) -> float:
        return uniform(self._seed, key)

    @property
    def groups(self) -> Mapping[int, GroupView]:
        return self._rollouts.groups

    @property
    def version(self) -> int:
        return self._rollouts.weights.version

    @property
    def trained(self) -> int:
        return self._rollouts.trained

    @property
    def training(self) -> bool:
        return self._rollouts.training is not None
