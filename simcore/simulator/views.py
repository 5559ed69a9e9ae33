"""Views of the running simulator, as policies see it: exact at any instant, read without disturbing a step."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from simcore.books.draw import uniform
from simcore.contract import Load, Role, to_s
from simcore.contract.view import InstanceState
from simcore.simulator.request_views import LaneRequests, LiveRequests

if TYPE_CHECKING:
    from simcore.simulator.instance import SimInstance
    from simcore.simulator.simulator import Simulator
    from simcore.simulator.stepper import SimLane

LOADS: dict[str, Callable[["SimLane"], int]] = {
    "requests": lambda lane: lane.queued + len(lane.running),
    "waiting": lambda lane: lane.queued,
    "running": lambda lane: len(lane.running),
    "waiting_tokens": lambda lane: lane.waiting_tokens,
}
"""Loads with an index, of one lane: they change only where batch membership or a queue does."""


def load_of(instance: "SimInstance", load: str) -> int:
    """Return a load of an instance: that of all its lanes."""
    read = LOADS[load]
    if len(instance.lanes) == 1:
        return read(instance.lanes[0])
    return sum(read(lane) for lane in instance.lanes)


class LiveInstance:
    """An `InstanceView` over one instance."""

    __slots__ = ("_instance", "_simulator", "id")

    def __init__(self, simulator: "Simulator", instance: "SimInstance") -> None:
        self._simulator = simulator
        self._instance = instance
        self.id = instance.id

    @property
    def as_of_s(self) -> float:
        return to_s(max(lane.as_of_ps for lane in self._instance.lanes))

    @property
    def state(self) -> InstanceState:
        return self._instance.state

    @property
    def role(self) -> Role:
        return self._instance.role

    @property
    def running(self) -> int:
        return load_of(self._instance, "running")

    @property
    def waiting(self) -> int:
        return load_of(self._instance, "waiting")

    @property
    def preempted(self) -> int:
        return sum(lane.waiting_preempted for lane in self._instance.lanes)

    @property
    def block_tokens(self) -> int:
        return self._instance.pool.block_tokens

    @property
    def kv_blocks(self) -> int:
        return self._instance.pool.total

    @property
    def free_blocks(self) -> int:
        return self._instance.free_blocks

    @property
    def head_blocks(self) -> int:
        for lane in self._instance.lanes:
            head = next(iter(lane.queue_view()), None)
            if head is not None:
                return lane.pool.blocks_for(head.prompt + head.generated) - head.blocks
        return 0

    @property
    def waiting_blocks(self) -> int:
        return sum(lane.waiting_blocks for lane in self._instance.lanes)

    @property
    def waiting_tokens(self) -> int:
        return load_of(self._instance, "waiting_tokens")

    @property
    def pinned_blocks(self) -> int:
        store = self._instance.store
        return 0 if store is None else store.pinned_blocks

    @property
    def reserved_blocks(self) -> int:
        store = self._instance.store
        return 0 if store is None else store.reserved

    @property
    def host_free_blocks(self) -> int:
        store = self._instance.store
        return 0 if store is None else store.host_free

    @property
    def weights_version(self) -> int:
        return self._instance.weights_version

    def cached_tokens(self, request: int) -> int:
        store = self._instance.store
        if store is None or not store.cached:
            return 0
        self._instance.catch_up()
        return store.hits(self._simulator.live[request])


class LiveCluster:
    """A `ClusterView` over the simulator."""

    __slots__ = ("_seed", "_simulator", "instances", "requests", "up")

    def __init__(self, simulator: "Simulator", seed: int, oracle: frozenset[str]) -> None:
        self._simulator = simulator
        self._seed = seed
        self.requests = LiveRequests(simulator, oracle)
        self.instances: list[LiveInstance] = []
        for instance in simulator.instances:
            self.add(instance)
        self.refresh()

    def add(self, instance: "SimInstance") -> None:
        """Show one more instance."""
        reports = self._simulator.reports
        self.instances.append(LiveInstance(self._simulator, instance) if reports is None else reports.add(instance))

    def refresh(self) -> None:
        """See which instances take new prompts now."""
        self.up: Sequence[LiveInstance] = [i for i in self.instances if i.state == "up" and i.role != "decode"]

    @property
    def now_s(self) -> float:
        return to_s(self._simulator.clock.now)

    def least(self, load: Load, role: Role | None = None) -> int:
        return self._simulator.fleet.least(load, role)

    def draw(self, *key: int) -> float:
        return uniform(self._seed, key)


class LiveLane:
    """A `LaneView` over one lane, for its own scheduler."""

    __slots__ = ("_lane", "_seed", "requests")

    def __init__(self, lane: "SimLane", seed: int, oracle: frozenset[str]) -> None:
        self._lane = lane
        self._seed = seed
        self.requests = LaneRequests(lane, oracle)

    @property
    def now_s(self) -> float:
        return to_s(self._lane.clock.now)

    @property
    def instance(self) -> int:
        return self._lane.instance

    @property
    def lane(self) -> int:
        return self._lane.number

    @property
    def role(self) -> Role:
        return self._home.role

    @property
    def iteration(self) -> int:
        return self._lane.it + self._lane.passed()

    @property
    def block_tokens(self) -> int:
        return self._lane.pool.block_tokens

    @property
    def kv_blocks(self) -> int:
        return self._lane.pool.total

    @property
    def free_blocks(self) -> int:
        return self._home.free_blocks

    @property
    def host_free_blocks(self) -> int:
        store = self._home.store
        return 0 if store is None else store.host_free

    @property
    def pins(self) -> Mapping[int, float]:
        store = self._home.store
        return {} if store is None else {key: to_s(pin.until_ps) for key, pin in store.pins.items()}

    @property
    def running(self) -> Sequence[int]:
        return [request.id for request in self._lane.running]

    @property
    def waiting(self) -> Sequence[int]:
        return [request.id for request in self._lane.queue_view()]

    @property
    def _home(self) -> "SimInstance":
        return self._lane.simulator.instances[self._lane.instance]

    def draw(self, *key: int) -> float:
        return uniform(self._seed, key)
