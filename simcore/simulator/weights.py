"""Weights: which version each instance generates with, and how a new one reaches them all.

The bytes go to the first node, and from each node to the next, all at once as in a ring: each link carries them once,
beside whatever else is copied. An instance goes over at a boundary, once they are on its node.
"""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from simcore.contract import Done, IllegalAction, UpdateWeights, WeightsUpdated
from simcore.contract import decisions as log
from simcore.simulator.actions import ROLLOUT
from simcore.simulator.clock import TIMERS, Alarm
from simcore.simulator.rollout_lane import SimRolloutLane
from simcore.simulator.topology import Host

if TYPE_CHECKING:
    from simcore.simulator.instance import SimInstance
    from simcore.simulator.rollout import Rollouts
    from simcore.simulator.simulator import Simulator

_LOADED = TIMERS + 0.375
_BY_ID = 2.0**-30


class Weights:
    """The publications of one run, one at a time."""

    def __init__(self, simulator: "Simulator", rollouts: "Rollouts") -> None:
        self._simulator = simulator
        self._rollouts = rollouts
        self.version = 0
        """Published last."""
        self.publishing: UpdateWeights | None = None
        self._awaited: dict[int, None] = {}
        """Instances that are still to go over."""
        self._here: set[int] = set()
        """Those of them whose node has the bytes."""
        self._loading: set[int] = set()

    @property
    def newest(self) -> int:
        """The version that an instance which comes up begins with."""
        return self.version if self.publishing is None else self.publishing.version

    def restore(self, version: int) -> None:
        """Begin with `version` on all instances."""
        self.version = version
        for instance in self._simulator.instances:
            instance.weights_version = version

    def publish(self, action: UpdateWeights) -> None:
        """Send the trainer's weights to all instances. Raises IllegalAction."""
        simulator, settings = self._simulator, self._rollouts.settings
        if self.publishing is not None or not self.version < action.version == self._rollouts.trained:
            rule = f"version must be the trainer's ({self._rollouts.trained}), above {self.version}, and none under way"
            raise IllegalAction(f"{action}: {rule}")
        self._rollouts.book.phase()
        self.publishing = action
        bytes_ = settings.trainer.publish(action.version)
        going = [each for each in simulator.instances if each.state in ("up", "draining")]
        self._awaited = dict.fromkeys(each.id for each in going)
        self._here.clear()
        self._loading.clear()
        if settings.pause_for_weights:
            for instance in going:
                self._lane(instance).freeze()
        for path, instances in self._ways(going, bytes_):
            simulator.network.start(path, bytes_, 0, partial(self._arrived, instances))
        self._end_if_over()

    def _ways(
        self, instances: "list[SimInstance]", bytes_: int
    ) -> "Iterator[tuple[tuple[str, ...], list[SimInstance]]]":
        """Yield each path the bytes take, with the instances at its end."""
        simulator, topology = self._simulator, self._simulator.settings.topology
        if topology is None or not bytes_:
            yield (), instances
            return
        by_node: dict[int, list[SimInstance]] = {}
        for instance in instances:
            by_node.setdefault(topology.node(instance.id), []).append(instance)
        before: int | None = None
        for node, there in by_node.items():
            if f"network_in:node{node}" in simulator.network.links:
                out = () if before is None else (f"network_out:node{before}",)
                yield (*out, f"network_in:node{node}"), there
            else:
                yield from ((topology.path(Host(each.id), each.id), [each]) for each in there)
            before = node

    def _arrived(self, instances: "list[SimInstance]") -> None:
        for instance in instances:
            if instance.id in self._awaited:
                self._here.add(instance.id)
                self._lane(instance).freeze()
                self.standing(instance)

    def standing(self, instance: "SimInstance") -> None:
        """Load the weights into an instance that forms no iteration, if they are there and it stands at a boundary."""
        if instance.id not in self._here or instance.id in self._loading or not self._lane(instance).standing:
            return
        assert self.publishing is not None
        self._loading.add(instance.id)
        took_ps = self._rollouts.settings.trainer.load(instance.id, self.publishing.version)
        if took_ps:
            loaded = partial(self._loaded, instance, instance.epoch)
            Alarm(self._simulator.clock, took_ps, loaded, _LOADED + instance.id * _BY_ID)
        else:
            self._go_over(instance)

    def _loaded(self, instance: "SimInstance", epoch: int, _: Alarm) -> None:
        if instance.epoch == epoch:
            self._go_over(instance)

    def _go_over(self, instance: "SimInstance") -> None:
        """From here on, what `instance` generates is of the new version."""
        assert self.publishing is not None
        lane, version = self._lane(instance), self.publishing.version
        for request in (*lane.running, *lane.waiting):
            sample = self._rollouts.samples[request.id]
            sample.close(instance.weights_version, lane.generated_after(request, 0))
        instance.weights_version = version
        self._leave(instance)
        self._simulator.log(instance.id, log.WEIGHTS, -1, version)
        lane.thaw()
        self._simulator.messenger.tell_rollout("on_weights_updated", WeightsUpdated(instance.id, version))
        self._end_if_over()

    def went_down(self, instance: "SimInstance") -> None:
        """An instance that is down is waited for no more."""
        self._lane(instance).frozen = False
        if instance.id in self._awaited:
            self._leave(instance)
            self._end_if_over()

    def came_up(self, instance: "SimInstance") -> None:
        """An instance begins with the newest weights; its boot has loaded them."""
        self._rollouts.settings.trainer.load(instance.id, self.newest)
        instance.weights_version = self.newest

    def _leave(self, instance: "SimInstance") -> None:
        del self._awaited[instance.id]
        self._here.discard(instance.id)
        self._loading.discard(instance.id)

    def _end_if_over(self) -> None:
        action = self.publishing
        if action is None or self._awaited:
            return
        self._rollouts.book.phase()
        self.version = action.version
        self.publishing = None
        self._simulator.done(ROLLOUT, Done(action, ok=True))
        self._rollouts.proceed()

    def _lane(self, instance: "SimInstance") -> SimRolloutLane:
        lane = instance.lanes[0]
        assert isinstance(lane, SimRolloutLane)
        return lane
