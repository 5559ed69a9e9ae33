"""Views of the running simulator, as policies see it: exact at any instant, read without disturbing a step."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, cast

from simcore.books.draw import uniform
from simcore.books.index import Least
from simcore.books.request import RUNNING, STATES, Request
from simcore.contract import IllegalAction, Load, OracleView, RequestView, to_s
from simcore.contract.view import InstanceState, RequestState

if TYPE_CHECKING:
    from simcore.simulator.simulator import Simulator
    from simcore.simulator.stepper import SimLane

LOADS: dict[str, Callable[["SimLane"], int]] = {
    "requests": lambda lane: len(lane.waiting) + len(lane.running),
    "waiting": lambda lane: len(lane.waiting),
    "running": lambda lane: len(lane.running),
    "waiting_tokens": lambda lane: lane.waiting_tokens,
}
"""Loads with an index: they change only where batch membership or a queue does."""


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
            return 0
        lane = self._lane
        return lane.computed_after(request, lane.passed())

    @property
    def kv_blocks(self) -> int:
        request = self._request
        if request.state != RUNNING:
            return 0
        lane = self._lane
        return lane.blocks_after(request, lane.passed(), in_flight=lane.k > 0)

    @property
    def state(self) -> RequestState:
        return cast(RequestState, STATES[self._request.state])

    @property
    def instance(self) -> int | None:
        return self._request.lane

    @property
    def priority(self) -> int:
        return self._simulator.priorities[self._request.request_class]

    @property
    def request_class(self) -> str:
        return self._simulator.classes[self._request.request_class]

    @property
    def program(self) -> int | None:
        return None

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
        yield from (request.id for request in self._lane.running)
        yield from (request.id for request in self._lane.waiting)

    def __len__(self) -> int:
        return len(self._lane.running) + len(self._lane.waiting)


class LiveInstance:
    """An `InstanceView` over one lane."""

    __slots__ = ("_lane", "id")

    def __init__(self, lane: "SimLane") -> None:
        self._lane = lane
        self.id = lane.index

    @property
    def as_of_s(self) -> float:
        return to_s(self._lane.as_of_ps)

    @property
    def state(self) -> InstanceState:
        return "up"

    @property
    def role(self) -> Literal["mixed", "prefill", "decode"]:
        return "mixed"

    @property
    def running(self) -> int:
        return len(self._lane.running)

    @property
    def waiting(self) -> int:
        return len(self._lane.waiting)

    @property
    def preempted(self) -> int:
        return self._lane.waiting_preempted

    @property
    def kv_blocks(self) -> int:
        return self._lane.pool.total

    @property
    def free_blocks(self) -> int:
        lane = self._lane
        return lane.free_after(lane.passed())

    @property
    def head_blocks(self) -> int:
        lane = self._lane
        if not lane.waiting:
            return 0
        head = lane.waiting.head()
        return lane.pool.blocks_for(head.prompt + head.generated)

    @property
    def waiting_blocks(self) -> int:
        return self._lane.waiting_blocks

    @property
    def waiting_tokens(self) -> int:
        return self._lane.waiting_tokens


class LiveCluster:
    """A `ClusterView` over the simulator."""

    __slots__ = ("_seed", "_simulator", "instances", "requests", "up")

    def __init__(self, simulator: "Simulator", seed: int, oracle: frozenset[str]) -> None:
        self._simulator = simulator
        self._seed = seed
        self.requests = LiveRequests(simulator, oracle)
        self.instances: Sequence[LiveInstance] = [LiveInstance(lane) for lane in simulator.lanes]
        self.up = self.instances

    @property
    def now_s(self) -> float:
        return to_s(self._simulator.clock.now)

    def least(self, load: Load) -> int:
        simulator = self._simulator
        index = simulator.indexes.get(load)
        if index is None:
            if load not in LOADS:
                raise IllegalAction(f"least: load must be one of {', '.join(LOADS)}, got {load!r}")
            index = simulator.indexes[load] = Least(len(simulator.lanes))
            for lane in simulator.lanes:
                index.set(lane.index, LOADS[load](lane))
        elif simulator.acting >= 0 and simulator.lanes[simulator.acting].moved:
            simulator.reindex(simulator.lanes[simulator.acting])  # it stands at a boundary, its next batch not formed
        return index.argmin()

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
        return self._lane.index

    @property
    def lane(self) -> int:
        return 0

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
        return self._lane.free_after(self._lane.passed())

    @property
    def running(self) -> Sequence[int]:
        return [request.id for request in self._lane.running]

    @property
    def waiting(self) -> Sequence[int]:
        return [request.id for request in self._lane.waiting]

    def draw(self, *key: int) -> float:
        return uniform(self._seed, key)
