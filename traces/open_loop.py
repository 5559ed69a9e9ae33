"""Open loop: turns that wait for each other, given times of their own, for formats in which every request has one."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from simcore.contract.units import PS_PER_MS
from traces.problems import TraceError
from traces.requests import Request


@dataclass(frozen=True)
class OpenLoop:
    """Gives the turns of programs times of their own: a turn takes `tpot_ms` milliseconds for each token it generates.

    None: no time is known, and a turn that waits for another one is refused.
    """

    tpot_ms: float | None = None

    def __call__(self, requests: Iterator[Request]) -> Iterator[Request]:
        """Yield requests by their times. Held in memory are the turns that come after a program that begins now."""
        coming: list[tuple[int, int, Request]] = []
        ended_ps = 0
        for row, request in enumerate(requests):
            if request.turn == 0:
                while coming and coming[0][0] <= request.at_ps:
                    yield heappop(coming)[2]
                at_ps = request.at_ps
            elif self.tpot_ms is None:
                raise TraceError(
                    [
                        f"turns: request {row:,} comes after another one has ended, and this format has no words for "
                        "that. Write sessions (--sessions, read by AIPerf), or say how long a turn takes "
                        "(--tpot-ms 20: 20 ms for each token it generates)"
                    ]
                )
            else:
                at_ps = ended_ps + request.gap_ps
            ended_ps = at_ps + round(request.output_tokens * (self.tpot_ms or 0.0) * PS_PER_MS)
            heappush(coming, (at_ps, row, request._replace(at_ps=at_ps)))
        while coming:
            yield heappop(coming)[2]
