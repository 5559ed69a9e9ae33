"""Recorder: collects rows while the simulator runs and hands them on in pieces, so memory stays bounded."""

from typing import TYPE_CHECKING

from simcore.books.request import CANCELLED, FAILED, FINISHED, NEVER, REJECTED, Request
from simcore.simulator.settings import Rows, Sink

if TYPE_CHECKING:
    from simcore.simulator.stepper import SimLane

PIECE_ROWS = 1 << 12  # small enough for rows to stay in the CPU cache until they are handed on

_OUTCOME = {FINISHED: 0, REJECTED: 1, CANCELLED: 2, FAILED: 4}
_UNFINISHED = 3


class Recorder:
    """Buffers in front of a sink. Callers append to the lists and call `flush` now and then."""

    def __init__(self, sink: Sink, *, lanes_each: int, iterations: bool, decisions: bool) -> None:
        self._sink = sink
        self._lanes_each = lanes_each
        self.keep_iterations = iterations
        self.keep_decisions = decisions
        self.requests: Rows = []
        self.steps: Rows = []
        self.gaps: list[int] = []
        self.samples: Rows = []
        self.iterations: list[tuple[int | list[int], ...]] = []
        self.decisions: Rows = []
        self.rollouts: Rows = []

    def request(self, request: Request) -> None:
        """Write down a request that has ended, or that the run left behind."""
        state = _OUTCOME.get(request.state, _UNFINISHED)
        client, held = request.client, request.held
        self.requests.append(
            (
                request.id,
                request.request_class,
                NEVER if request.lane is None else request.lane // self._lanes_each,
                state,
                request.arrival_ps,
                request.scheduled_ps,
                request.first_ps,
                NEVER if state == _UNFINISHED else request.last_ps,
                request.prompt,
                request.generated,
                request.preemptions,
                0 if held is None or held.cached < 0 else held.cached,
                NEVER if client is None else client.program,
                0 if client is None else client.turn,
            )
        )
        if len(self.requests) >= PIECE_ROWS:
            self.flush()

    def iteration(self, lane: "SimLane", k: int) -> None:
        """Write down the `k` iterations that have just ended."""
        shape = lane.shape
        self.iterations.append(
            (
                lane.instance,
                lane.number,
                lane.it,
                lane.started,
                k,
                lane.first,
                lane.increment,
                shape.decodes,
                shape.context,
                shape.longest,
                shape.sm_pct,
                [new for new, _ in shape.chunks],
                [before for _, before in shape.chunks],
            )
        )

    def flush(self) -> None:
        """Hand everything on."""
        sink = self._sink
        if self.requests:
            sink.requests(self.requests)
            self.requests = []
        if self.steps:
            sink.steps(self.steps)
            self.steps = []
        if self.gaps:
            sink.gaps(self.gaps)
            self.gaps = []
        if self.samples:
            sink.samples(self.samples)
            self.samples = []
        if self.iterations:
            sink.iterations(self.iterations)
            self.iterations = []
        if self.decisions:
            sink.decisions(self.decisions)
            self.decisions = []
        if self.rollouts:
            sink.rollouts(self.rollouts)
            self.rollouts = []
