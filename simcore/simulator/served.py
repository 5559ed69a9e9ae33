"""Served: a run whose requests come in from outside while it runs, and whose tokens go out as they are generated.

Requests, and those who hang up, reach the run as messages of its wall clock, so that only the thread that drives it
touches the books. Everything else is that of any run: the router is told `Arrived`, a client who hangs up is a
client's `Abort`.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import Lock

from simcore.books.client import Client
from simcore.books.request import CANCELLED, FAILED, Request
from simcore.books.store import Held
from simcore.contract import Abort, Arrivals, Patience, TurnEnded
from simcore.contract import decisions as log
from simcore.simulator.actions import abort
from simcore.simulator.calls import Call, End, Listener, News
from simcore.simulator.clients import CANCELS, WHY, Clients
from simcore.simulator.contents import Contents
from simcore.simulator.settings import Outcome
from simcore.simulator.simulator import Simulator
from simcore.simulator.stepper import SimLane
from simcore.simulator.wall_clock import WallClock

REJECTED_WHY: tuple[End, ...] = ("too_long", "policy", "queue_full")


class Outside:
    """`Workload` of what nobody knows beforehand."""

    name = "calls"
    source = "calls from outside"
    classes = ("default",)
    priorities = (0,)
    tools: tuple[str, ...] = ()
    patience: tuple[Patience, ...] = ()
    rate = float("nan")

    def pieces(self) -> Iterator[Arrivals]:
        return iter(())


OUTSIDE = Outside()


class Served(Simulator):
    """What a run on a wall clock needs to be open to calls; joined with a `Simulator` that has one.

    `come`, `hang_up`, `ask` and `shut` may be called from any thread, `shut` from signal handlers too. Every call that
    came hears of its end, exactly once, whatever becomes of the run.
    """

    clock: WallClock
    contents_of: Contents
    listener: Listener

    def open_to(self, listener: Listener) -> None:
        """Be open for calls, whose news `listener` hears. To be called once, before `run`."""
        self.listener = listener
        self.contents_of = Contents(self.settings.block_tokens)
        self.clients = _Callers(self, OUTSIDE)
        self.calls: dict[int, Call] = {}
        """By request, those that came in and are not over."""
        self.programs: dict[str, tuple[int, int]] = {}
        """By name: the number of a program, and of its next turn."""
        self.hashing = self.settings.mechanisms.prefix_cache is not None
        """Equal beginnings of texts matter."""
        self.closing = False
        self.tell_finishes = True
        self._came = 0
        self._at_door: set[Call] = set()
        self._door = Lock()
        self._gone = False
        self._why: End | None = None

    # -- from any thread -------------------------------------------------------------------------------------------

    def come(self, call: Call) -> None:
        """Bring a call in."""
        if self.hashing:
            call.hashes = self.contents_of.hashes(call.prompt)
        with self._door:
            if not self._gone:
                self._at_door.add(call)
                self.clock.post(partial(self._come_in, call))
                return
        self.listener([News(call, [], self._why_gone)])

    def hang_up(self, call: Call) -> None:
        """Give a call up; nothing happens if it is over."""
        self.clock.post(partial(self._give_up, call))

    def ask(self, question: Callable[[], None]) -> None:
        """Have `question` called by the driving thread, which may read the books."""
        self.clock.post(question)

    def shut(self) -> None:
        """Let nobody in any more, stop those who are in, and end the run when all have left."""
        self.clock.post(self._shut)

    # -- the run ---------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        self.clock.expected += 1  # an open door is owed a message: that it is shut
        try:
            self.messenger.start()
            self.drive()
        finally:
            with self._door:
                self._gone = True
            left = sorted(self._at_door, key=lambda call: call.request_id)
            self.tell([News(call, [], self._why_gone) for call in left])
        return self._close()

    def end_if_over(self) -> None:
        if self.closing:
            super().end_if_over()

    def stands_still(self) -> bool:
        return self.closing and super().stands_still()

    @property
    def is_open(self) -> bool:
        """Calls are let in."""
        return not (self.closing or self._gone)

    @property
    def _why_gone(self) -> End:
        return "shutdown" if self.closing else "failed"

    def _come_in(self, call: Call) -> None:
        if self.closing:
            self.tell([News(call, [], "shutdown")])
            return
        number = call.request_id = self._came
        self._came += 1
        request = Request(number, self.clock.now, len(call.prompt), call.output_tokens)
        if call.program is not None:
            request.client = self._turn(call.program)
        if self.contents:
            request.held = Held(self.contents_of.of(number, call.hashes))
        self.calls[number] = call
        self.arrive(request)
        if not call.over:
            self.tell([News(call, [], None)])

    def _turn(self, name: str) -> Client:
        program, turn = self.programs.get(name, (len(self.programs), 0))
        self.programs[name] = (program, turn + 1)
        return Client(program, turn)

    def _give_up(self, call: Call) -> None:
        request = self.live.get(call.request_id)
        if request is not None and not call.given_up:
            call.given_up = True
            abort(self, request, Abort(request.id), CANCELS)

    def _shut(self) -> None:
        if self.closing:
            return
        self.closing = True
        self.clock.expected -= 1
        for call in list(self.calls.values()):
            self._give_up(call)
        self.end_if_over()

    # -- what comes back -------------------------------------------------------------------------------------------

    def gave(self, request: Request, index: int, token: int, news: list[News]) -> None:
        """A token came out: note it, unless it did before. The last one of a request goes out with its end."""
        call = self.calls.get(request.id)
        if call is not None and len(call.text) == index < request.output:
            call.text.append(token)
            if index < request.output - 1:
                news.append(News(call, [token], None))

    def ended(
        self,
        lane: SimLane,
        firsts: list[Request] | None,
        finished: list[Request],
        now: int,
        handed: Sequence[Request] = (),
    ) -> None:
        super().ended(lane, firsts, finished, now, handed)
        if finished:
            self.tell([self._end(request, None) for request in finished])

    def rejected(self, request: Request, why: int) -> None:
        self._why = REJECTED_WHY[why]
        super().rejected(request, why)

    def cancelled(self, request: Request, who: int) -> None:
        why = WHY.get(who, "aborted")
        self._why = "timeout" if why == "timeout" else "client" if why == "client" else "aborted"
        super().cancelled(request, who)

    def close(self, request: Request, state: int) -> None:
        why, self._why = self._why, None
        if state == FAILED:
            why = "failed"
        elif state == CANCELLED and (why is None or why == "client"):
            why = "shutdown" if self.closing else "client"
        super().close(request, state)
        self.tell([self._end(request, why)])

    def _end(self, request: Request, why: End | None) -> News:
        """Return the end of a request; None: it got all its tokens."""
        call = self.calls.pop(request.id)
        if self.hashing:
            self.contents_of.name(request.id, self.contents_of.hashes([*call.prompt, *call.text], call.hashes))
        if why is None:
            why = "stop" if call.text and call.text[-1] in call.ends and len(call.text) >= call.min_tokens else "length"
        return News(call, call.text[call.told :], why)

    def tell(self, news: list[News]) -> None:
        """Tell the listener, once for all."""
        for call, tokens, end in news:
            call.told += len(tokens)
            if end is not None:
                call.over = True
                self._at_door.discard(call)
        if news:
            self.listener(news)


class _Callers(Clients):
    """Clients outside: which turn of a program is its last, they say, or nobody knows."""

    def __init__(self, served: Served, workload: "Outside") -> None:
        super().__init__(served, workload)
        self._served = served

    def turn_ended(self, lane: SimLane, request: Request) -> None:
        served, client = self._served, request.client
        assert client is not None
        call = served.calls[request.id]
        if call.last_turn:
            self.counts["programs_finished"] += 1
        served.log(lane.instance, log.TURN_ENDED, request.id, client.program)
        served.messenger.tell_both(lane, "on_turn_ended", TurnEnded(request.id, client.program, ""))
