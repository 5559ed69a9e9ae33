"""Request views of the running simulator: exact at any instant, read without disturbing a step."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

from simcore.books.request import RUNNING, STATES, Request
from simcore.contract import IllegalAction, OracleView, RequestView, to_s
from simcore.contract.view import RequestState

if TYPE_CHECKING:
    from simcore.simulator.simulator import Simulator
    from simcore.simulator.stepper import SimLane


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
    def group(self) -> int | None:
        rollouts = self._simulator.rollouts
        return None if rollouts is None else rollouts.samples[self._request.id].group

    @property
    def max_new_tokens(self) -> int | None:
        rollouts = self._simulator.rollouts
        cap = None if rollouts is None else rollouts.settings.max_tokens
        return None if cap is None else cap - self.output_tokens

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
