"""Messenger: tells policies what happened, one fact at a time, and starts what they answer.

Facts that come up while a policy's actions are started wait until the last of them is. So nothing happens between
an answer and its actions, and a policy is judged by the view it had.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

from simcore.books.request import UNROUTED
from simcore.contract import Action, Arrived, Fact, Policy, Rollout, Router, Scheduler, overrides
from simcore.simulator.actions import start_for_router, start_for_scheduler
from simcore.simulator.rollout_actions import start_for_rollout

if TYPE_CHECKING:
    from simcore.simulator.simulator import Simulator
    from simcore.simulator.stepper import SimLane


class Messenger:
    """Knows who listens to what: a hook that a policy does not override is never called."""

    def __init__(self, simulator: "Simulator") -> None:
        self._simulator = simulator
        self._router = simulator.router
        self.router_hears = hooks(simulator.router, Router)
        self.schedulers_hear = frozenset[str]().union(*(hooks(lane.scheduler, Scheduler) for lane in simulator.lanes))
        self._on_arrived: Callable[..., Iterable[Action]] | None = None
        if "on_arrived" in self.router_hears:
            self._on_arrived = simulator.router.on_arrived
        rollouts = simulator.rollouts
        self.rollout_hears = frozenset[str]() if rollouts is None else hooks(rollouts.policy, Rollout)
        self._facts: deque[tuple[SimLane | Literal["rollout"] | None, str, Fact | None]] = deque()
        self._telling = False

    def hears(self, hook: str) -> bool:
        """Return whether anybody listens."""
        return hook in self.router_hears or hook in self.schedulers_hear

    def start(self) -> None:
        """Call `on_start` of the router, then of each lane's scheduler."""
        if "on_start" in self.router_hears:
            self._tell(None, "on_start", None)
        self.tell_started(self._simulator.lanes)

    def tell_started(self, lanes: "Iterable[SimLane]") -> None:
        """Call `on_start` of the schedulers of lanes that have just been made."""
        if "on_start" in self.schedulers_hear:
            for lane in lanes:
                self._tell(lane, "on_start", None)

    def tell_arrival(self, request: int) -> None:
        """Tell the router of an arrival: `tell_router`, without the detour, for what happens most."""
        if self._on_arrived is not None:
            self._telling = True
            start_for_router(self._simulator, self._on_arrived(self._simulator.view, Arrived(request)))
            self._telling = False
            if self._facts:
                self._deliver()

    def tell_router(self, hook: str, fact: Fact) -> None:
        if hook in self.router_hears:
            self._tell(None, hook, fact)

    def tell_rollout(self, hook: str, fact: Fact | None) -> None:
        if hook in self.rollout_hears:
            self._tell("rollout", hook, fact)

    def tell_scheduler(self, lane: "SimLane", hook: str, fact: Fact) -> None:
        if hook in self.schedulers_hear:
            self._tell(lane, hook, fact)

    def tell_both(self, lane: "SimLane", hook: str, fact: Fact) -> None:
        """Tell the scheduler of `lane`, then the router."""
        self.tell_scheduler(lane, hook, fact)
        self.tell_router(hook, fact)

    def _tell(self, lane: "SimLane | Literal['rollout'] | None", hook: str, fact: Fact | None) -> None:
        self._facts.append((lane, hook, fact))
        if not self._telling:
            self._deliver()

    def _deliver(self) -> None:
        simulator, facts = self._simulator, self._facts
        self._telling = True
        while facts:
            lane, hook, fact = facts.popleft()
            told: tuple[Any, ...] = () if fact is None else (fact,)
            if lane is None:
                if type(fact) is Arrived and not self._unrouted(fact):
                    continue
                start_for_router(simulator, getattr(self._router, hook)(simulator.view, *told))
            elif lane == "rollout":
                assert simulator.rollouts is not None
                rollouts = simulator.rollouts
                start_for_rollout(simulator, rollouts, getattr(rollouts.policy, hook)(rollouts.view, *told))
            else:
                view = simulator.lane_views[lane.index]
                start_for_scheduler(simulator, lane, getattr(lane.scheduler, hook)(view, *told))
        self._telling = False

    def _unrouted(self, fact: Arrived) -> bool:
        """Return whether a request that lost its instance still waits for a router: it may have been quick."""
        request = self._simulator.live.get(fact.request)
        return request is not None and request.state == UNROUTED


def hooks(policy: Policy, role: type[Policy]) -> frozenset[str]:
    """Return the hooks of its role that `policy` overrides."""
    return frozenset(name for name in dir(role) if name.startswith("on_") and overrides(policy, name))
