"""Views of the running simulator, as policies see it: exact at any instant, read without disturbing a step."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from simcore.books.draw import uniform
from simcore.books.request import RUNNING, STATES, Request
from simcore.contract import IllegalAction, Load, OracleView, RequestView, Role, to_s
from simcore.contract.view import InstanceState, RequestState

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


class LiveRequest:
    """A `RequestView` over one row of the books."""

    __slots__ = ("_oracle", "_request", "_simulator")

    def __init__(self, simulator: "Simulator", request: Request, oracle: frozenset[str]) -> None:
        self._simulator = simulator
        self._request = request
        self._oracle = oracle

    @property
    def id(self) -> int:
        return self._request.id

    @property
    def arrival_s(self) -> float:
        return to_s(self._request.arrival_ps)

    @property
    def prompt_tokens(self) -> int:
        return self._request.prompt

    @property
    def output_tokens(self) -> int:
        request = self._request
        if request.state != RUNNING:
            return request.generated
        lane = self._lane
        return lane.generated_after(request, lane.passed())

    @property
    def computed_tokens(self) -> int:
        request = self._request
        if request.state != RUNNING:
            return request.computed
        lane = self._lane
        return lane.computed_after(request, lane.passed())

    @property
    def kv_blocks(self) -> int:
        request = self._request
        if request.state != RUNNING:
            return request.blocks
        lane = self._lane
        return lane.blocks_after(request, lane.passed(), in_flight=lane.k > 0)

    @property
    def state(self) -> RequestState:
        return cast(RequestState, STATES[self._request.state])

    @property
    def instance(self) -> int | None:
        lane = self._request.lane
        return None if lane is None else self._simulator.place_of(lane)

    @property
    def priority(self) -> int:
        return self._simulator.priorities[self._request.request_class]

    @property
    def request_class(self) -> str:
        return self._simulator.classes[self._request.request_class]

    @property
    def program(self) -> int | None:
        client = self._request.client
        return None if client is None or client.program < 0 else client.program

    @property
    def turn(self) -> int:
        client = self._request.client
        return 0 if client is None else client.turn

    @property
    def cached_tokens(self) -> int:
        held = self._request.held
        return 0 if held is None else max(0, held.cached)

    @property
    def preemptions(self) -> int:
        return self._request.preemptions

    @property
    def scheduled_s(self) -> float | None:
        return _date(self._request.scheduled_ps)

    @property
    def first_token_s(self) -> float | None:
        return _date(self._request.first_ps)

    @property
    def oracle(self) -> OracleView:
        return Oracle(self._oracle, self._request)

    @property
    def _lane(self) -> "SimLane":
        assert self._request.lane is not None
        return self._simulator.lanes[self._request.lane]


def _date(ps: int) -> float | None:
    return None if ps < 0 else to_s(ps)


class Oracle:
    """An `OracleView` that answers only what the study switched on and the policy declared."""

    __slots__ = ("_on", "_request")

    def __init__(self, on: frozenset[str], request: Request) -> None:
        self._on = on
        self._request = request

    @property
    def output_tokens(self) -> int:
        if "output_tokens" not in self._on:
            rule = "hidden unless the policy declares it and the study says `oracle: [output_tokens]`"
            raise IllegalAction(f"oracle.output_tokens: {rule}")
        return self._request.output


class LiveRequests(Mapping[int, RequestView]):
    """Live requests by id; a wrapper is made when somebody looks."""

    __slots__ = ("_oracle", "_simulator")

    def __init__(self, simulator: "Simulator", oracle: frozenset[str]) -> None:
        self._simulator = simulator
        self._oracle = oracle

    def __getitem__(self, request_id: int) -> RequestView:
        return LiveRequest(self._simulator, self._simulator.live[request_id], self._oracle)

    def __iter__(self) -> Iterator[int]:
        return iter(self._simulator.live)

    def __len__(self) -> int:
        return len(self._simulator.live)


class LaneRequests(Mapping[int, RequestView]):
    """Live requests of one lane by id: running, then waiting."""

    __slots__ = ("_lane", "_oracle")

    def __init__(self, lane: "SimLane", oracle: frozenset[str]) -> None:
        self._lane = lane
        self._oracle = oracle

    def __getitem__(self, request_id: int) -> RequestView:
        lane = self._lane
        request = lane.simulator.live[request_id]
        if request.lane != lane.index:
            raise KeyError(request_id)
        return LiveRequest(lane.simulator, request, self._oracle)

    def __iter__(self) -> Iterator[int]:
        lane = self._lane
        for requests in (lane.running, lane.queue_view(), lane.paused):
            yield from (request.id for request in requests)

    def __len__(self) -> int:
        return len(self._lane.running) + self._lane.queued + len(self._lane.paused)


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

    def cached_tokens(self, request: int) -> int:
        store = self._instance.store
        if store is None or store.cache is None:
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
