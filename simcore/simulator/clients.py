"""Clients: those who wait for answers, give up, and send the next turn of their program."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING

from simcore.books.client import Client
from simcore.books.request import NEVER, Request
from simcore.books.store import content_of
from simcore.contract import Abort, Arrivals, TurnEnded, Workload
from simcore.contract import decisions as log
from simcore.simulator.actions import abort
from simcore.simulator.clock import ARRIVALS, TIMERS, Alarm

if TYPE_CHECKING:
    from simcore.simulator.simulator import Simulator
    from simcore.simulator.stepper import SimLane

CANCELS, NO_FIRST_TOKEN, NO_END = -2, -3, -4
"""Who asks for an abort, when it is a client: by itself, or because it waited too long."""
WHY = {CANCELS: "client", NO_FIRST_TOKEN: "timeout", NO_END: "timeout"}
_LATER_TURNS = ARRIVALS + 0.5
_GIVING_UP = TIMERS - 0.5
_BY_ID = 2.0**-50


class Clients:
    """What clients do by themselves."""

    def __init__(self, simulator: "Simulator", workload: Workload) -> None:
        self._simulator = simulator
        self._patience = workload.patience
        self.impatient = any(p.first_token_ps is not None or p.end_ps is not None for p in workload.patience)
        self.thinking = 0
        """Programs between two turns."""
        self.counts = Counter[str]()

    def arrived(self, request: Request) -> None:
        """Note when the client of a request will give it up."""
        clock = self._simulator.clock
        for date, why in self._dates(request):
            give_up = partial(self._give_up, request, why)
            Alarm(clock, date - clock.now, give_up, _GIVING_UP + request.id * _BY_ID)

    def _dates(self, request: Request) -> Iterator[tuple[int, int]]:
        arrival, client = request.arrival_ps, request.client
        if client is not None and client.cancel_ps >= 0:
            yield arrival + client.cancel_ps, CANCELS
        if self._patience:
            patience = self._patience[request.request_class]
            if patience.first_token_ps is not None:
                yield arrival + patience.first_token_ps, NO_FIRST_TOKEN
            if patience.end_ps is not None:
                yield arrival + patience.end_ps, NO_END

    @property
    def watching(self) -> bool:
        """Some client may yet give a request up."""
        simulator = self._simulator
        return any(
            date >= simulator.clock.now for request in simulator.live.values() for date, _ in self._dates(request)
        )

    def _give_up(self, request: Request, why: int, _: Alarm) -> None:
        simulator = self._simulator
        if request.id not in simulator.live or (why == NO_FIRST_TOKEN and request.first_ps != NEVER):
            return
        simulator.log(-1, log.TIMED_OUT, request.id, CANCELS - why)
        self.counts["timed_out"] += 1
        abort(simulator, request, Abort(request.id), why)

    def turn_ended(self, lane: "SimLane", request: Request) -> None:
        """A turn is over: tell, and let the next one arrive when its time has come."""
        simulator, client = self._simulator, request.client
        assert client is not None
        if client.program < 0:
            return
        following = client.next
        if following is None:
            self.counts["programs_finished"] += 1
        else:
            assert following.client is not None
            clock = simulator.clock
            self.thinking += 1
            delay = max(0, request.last_ps + following.client.gap_ps - clock.now)
            Alarm(clock, delay, partial(self._next_turn, following), _LATER_TURNS + following.id * _BY_ID)
        simulator.log(lane.instance, log.TURN_ENDED, request.id, client.program)
        tool = simulator.tools[client.tool] if client.tool >= 0 else ""
        simulator.messenger.tell_both(lane, "on_turn_ended", TurnEnded(request.id, client.program, tool))

    def _next_turn(self, request: Request, _: Alarm) -> None:
        self.thinking -= 1
        request.arrival_ps = self._simulator.clock.now
        self._simulator.arrive(request)

    def gave_up(self, request: Request) -> None:
        """A turn did not finish: its program is abandoned."""
        if request.client is not None and request.client.program >= 0:
            self.counts["programs_abandoned"] += 1


def has_clients(piece: Arrivals) -> bool:
    """Return whether more is known of who sent these requests than when."""
    return piece.program is not None or piece.cancel_ps is not None


def with_clients(requests: Iterator[Request], piece: Arrivals, contents: bool) -> Iterator[Request]:
    """Give each request its client if it has one, and its content if asked; yield those that arrive by themselves."""
    n = len(piece)

    def column(values: object, default: int) -> Iterator[int]:
        return iter(values.tolist()) if values is not None else repeat(default, n)  # type: ignore[attr-defined]

    columns = zip(
        requests,
        column(piece.program, -1),
        column(piece.turn, 0),
        column(piece.gap_ps, 0),
        column(piece.tool, -1),
        column(piece.stream, -1) if piece.stream is not None else column(piece.program, -1),
        column(piece.cancel_ps, -1),
        _heads(piece) if contents else repeat((), n),
        strict=True,
    )
    before: Request | None = None
    for request, program, turn, gap_ps, tool, stream, cancel_ps, head in columns:
        if contents:
            request.held = content_of(request, head, stream)
        if program >= 0 or cancel_ps >= 0:
            request.client = Client(program, turn, gap_ps, tool, cancel_ps)
        if turn:
            assert before is not None
            assert before.client is not None
            before.client.next = request
        else:
            yield request
        before = request


def _heads(piece: Arrivals) -> Iterator[tuple[tuple[int, int], ...]]:
    head = piece.head
    if head is None:
        yield from repeat((), len(piece))
        return
    offsets, keys, ends = head.offsets.tolist(), head.keys.tolist(), head.ends.tolist()
    for i in range(len(piece)):
        yield tuple(zip(keys[offsets[i] : offsets[i + 1]], ends[offsets[i] : offsets[i + 1]], strict=True))
