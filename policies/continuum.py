"""Continuum: keep the KV of an agent's program over a tool call for a time worth paying for; programs first come first.

Source: Continuum, arXiv:2511.02230 (Algorithm 1; the time to live is `ttl.py`), and, as variants, the public code
(vllm-continuum up to 3761e57, as found in Weili-0234/vllm-continuum@0767a4b).

Decides:  for how long the KV of a turn that ended in a tool call is pinned; the order of the queue; who yields; which
          pin is broken when nothing can run.
Leaves:   where a program goes (`session_sticky` keeps it at its pins), admission, chunking; what a pin is, and what
          becomes of KV after it (docs/mechanisms.md, "Timed pins", "Host tier").
Differs:  each lane learns for itself; a pin is broken when nothing runs, after the last victim has yielded; the pin
          goes when the next turn is admitted. docs/papers/continuum.md has the list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, get_args

from policies.ttl import Durations, TurnsLeft, Waits, code_ttl
from simcore.contract import (
    Actions,
    Arrived,
    Blocked,
    Cancelled,
    Finished,
    FirstToken,
    LaneView,
    PinKV,
    RequestId,
    RequestView,
    Scheduler,
    Touch,
    TurnEnded,
    Unpin,
    WakeAt,
    Woke,
)

Ttl = Literal["paper", "code", "fixed", "zero", "infinite"]
Order = Literal["paper", "code", "program", "fcfs", "plas"]
FOREVER_S = 1e6
"""The date of a pin without one: the clock of a run ends at 9e6 seconds."""


@dataclass
class Program:
    """What is remembered of a program between its turns."""

    arrival_s: float
    request: RequestId
    """Its turn under way, or its last one: what a pin is of."""
    turns: int = 0
    tokens: int = 0
    """Of the prompt of that turn, and of its output once it has ended: what would have to be computed again."""
    tool: str = ""
    ended_s: float | None = None
    """When its last turn ended; None while one is under way."""
    until_s: float = -inf
    """The time to live of its KV."""
    evicted: bool = False
    """Its turn came back and its KV was not pinned any more."""
    scheduled_s: float | None = None
    service_s: float = 0.0
    """What its completed turns ran for."""


class Continuum(Scheduler):
    """Args:
    ttl: how long KV is kept: "paper" by cost and benefit, "code" 2 s for tools that take no longer on average, "fixed"
        for `fixed_s`, "zero" not at all, "infinite" until the program returns or the room is needed.
    order: "paper" preempted, then pinned, then by arrival of the program; "code" pinned, then by arrival of the
        program; "program" by that alone; "fcfs" requests as they come; "plas" the program that has run least.
    prefill_reload_s: (a, b, c): computing n tokens anew, or copying them back from the host, takes a + b n + c n^2 s.
    window: how many programs and waits the estimates of eta and T look back on, >= 1; the paper does not say.
    remembered: programs remembered, >= 1; nobody tells which have gone elsewhere when an instance died, so the one that
        has sent nothing for longest is forgotten first.
    """

    def __init__(
        self,
        *,
        ttl: Ttl = "paper",
        order: Order = "paper",
        fixed_s: float = 2.0,
        prefill_reload_s: Sequence[float] = (0.0, 1e-4, 0.0),
        window: int = 256,
        remembered: int = 100_000,
        max_num_batched_tokens: int = 2048,
        max_num_seqs: int = 256,
        reserve_full_prompt: bool = True,
    ) -> None:
        super().__init__(
            max_num_batched_tokens=max_num_batched_tokens,
            max_num_seqs=max_num_seqs,
            reserve_full_prompt=reserve_full_prompt,
        )
        for name, value, kinds in (("ttl", ttl, get_args(Ttl)), ("order", order, get_args(Order))):
            if value not in kinds:
                raise ValueError(f"{name} must be one of {', '.join(kinds)}, got {value!r}")
        if not 0 <= fixed_s < FOREVER_S:
            raise ValueError(f"fixed_s must be in 0..{FOREVER_S:g}, got {fixed_s}")
        if len(prefill_reload_s) != 3 or min(prefill_reload_s) < 0:
            raise ValueError(f"prefill_reload_s must be three numbers >= 0, got {list(prefill_reload_s)}")
        for name, least in (("window", window), ("remembered", remembered)):
            if least < 1:
                raise ValueError(f"{name} must be >= 1, got {least}")
        self.ttl: Ttl = ttl
        self.by: Order = order
        self.fixed_s = fixed_s
        self.prefill_reload_s = tuple(prefill_reload_s)
        self.durations = Durations()
        self.turns_left = TurnsLeft(window)
        self.waits = Waits(window)
        self.remembered = remembered
        self.programs: dict[int, Program] = {}
        """By number, the longest silent first."""
        self.program_of: dict[RequestId, int] = {}

    # -- the time to live -----------------------------------------------------------------------------------------

    def time_to_live(self, program: Program) -> float:
        """Return for how many seconds the KV of a program is worth its room, from the end of its turn."""
        if self.ttl == "paper":
            return self.durations.best_ttl(program.tool, self.benefit_s(program))
        if self.ttl == "code":
            return code_ttl(self.durations.of_tool.get(program.tool, ()))
        return {"fixed": self.fixed_s, "zero": 0.0, "infinite": FOREVER_S}[self.ttl]

    def benefit_s(self, program: Program) -> float:
        """Return B = T eta + prefill_reload: what a hit saves; eta is 1 until there are enough samples."""
        eta = 1.0 if self.durations.cold else self.turns_left.value
        a, b, c = self.prefill_reload_s
        n = program.tokens
        return self.waits.mean_s * eta + a + b * n + c * n * n

    # -- the queue, and who yields ----------------------------------------------------------------------------------

    def order(self, request: RequestView) -> tuple[Any, ...]:
        program = None if request.program is None else self.programs.get(request.program)
        arrival_s = request.arrival_s if program is None else program.arrival_s
        unpinned = program is None or program.until_s <= request.arrival_s
        if self.by == "paper":
            return request.preemptions == 0, unpinned, arrival_s, request.id
        if self.by == "code":
            return unpinned, arrival_s, request.id
        if self.by == "program":
            return arrival_s, request.id
        return () if self.by == "fcfs" else (0.0 if program is None else program.service_s, request.arrival_s)

    def victim(self, view: LaneView) -> RequestId | None:
        if self.by == "fcfs":
            return None
        return max(view.running, key=lambda running: (self._arrival_s(view.requests[running]), running))

    def _arrival_s(self, request: RequestView) -> float:
        program = None if request.program is None else self.programs.get(request.program)
        return request.arrival_s if program is None else program.arrival_s

    # -- turns come and end -------------------------------------------------------------------------------------------

    def on_arrived(self, view: LaneView, fact: Arrived) -> Actions:
        request = view.requests[fact.request]
        if request.program is None:
            return
        program = self._remember(request, request.program)
        if program.ended_s is not None:
            self.durations.add(program.tool, request.arrival_s - program.ended_s)
        last, program.request, program.ended_s = program.request, request.id, None
        program.tokens = request.prompt_tokens
        program.scheduled_s = None
        if request.program in view.pins and program.until_s > -inf:
            yield PinKV(last, view.now_s + FOREVER_S)  # the pin of a program that waits outlives its date
            if self.ttl != "infinite":
                yield WakeAt(program.until_s, request.id)
        else:
            program.evicted = request.turn > 0
            if program.until_s > request.arrival_s:  # it was lost with its instance
                program.until_s = -inf
                yield Touch(request.id)

    def _remember(self, request: RequestView, number: int) -> Program:
        """Return what is known of a program whose turn has arrived."""
        program = self.programs.pop(number, None) or Program(request.arrival_s, request.id)
        self.program_of.pop(program.request, None)
        self.programs[number] = program
        self.program_of[request.id] = number
        if len(self.programs) > self.remembered:
            silent = self.programs.pop(next(iter(self.programs)))
            self.program_of.pop(silent.request, None)
        return program

    def on_woke(self, view: LaneView, fact: Woke) -> Actions:
        """The time to live of a program that waits is over: it waits by its arrival."""
        request = view.requests.get(fact.key) if isinstance(fact.key, int) else None
        if request is not None and request.program in self.programs and request.state in ("waiting", "swapped"):
            self.programs[request.program].until_s = -inf
            yield Touch(request.id)

    def on_first_token(self, view: LaneView, fact: FirstToken) -> Actions:
        request = view.requests.get(fact.request)
        if request is None or request.program not in self.programs or request.scheduled_s is None:
            return ()
        program = self.programs[request.program]
        program.scheduled_s = request.scheduled_s
        if program.evicted:
            program.evicted = False
            self.waits.add(request.scheduled_s - request.arrival_s)
        return ()

    def on_finished(self, view: LaneView, fact: Finished) -> Actions:
        number = self.program_of.get(fact.request)
        if number is not None:
            self.programs[number].tokens += fact.output_tokens
        return ()

    def on_turn_ended(self, view: LaneView, fact: TurnEnded) -> Actions:
        program = self.programs.get(fact.program)
        if program is None or self.program_of.pop(fact.request, None) is None:
            return
        program.turns += 1
        program.tool, program.ended_s = fact.tool, view.now_s
        if program.scheduled_s is not None:
            program.service_s += view.now_s - program.scheduled_s
        if not fact.tool:  # nothing was called: the program is over, as far as a server can tell
            self.turns_left.add(program.turns)
            del self.programs[fact.program]
            return
        ttl_s = self.time_to_live(program)
        program.until_s = view.now_s + ttl_s if ttl_s > 0 else -inf
        if ttl_s > 0:
            yield PinKV(fact.request, program.until_s)

    def on_cancelled(self, view: LaneView, fact: Cancelled) -> Actions:
        """The program of a turn that was given up sends no more."""
        number = self.program_of.pop(fact.request, None)
        if number is not None:
            del self.programs[number]
            if number in view.pins:
                yield Unpin(number)

    # -- nothing can run ----------------------------------------------------------------------------------------------

    def on_blocked(self, view: LaneView, fact: Blocked) -> Actions:
        """Break one pin: of the program that came last (in the code, that would end last); its own after all others."""
        own = self.program_of.get(fact.request)
        pins = [key for key in view.pins if key in self.programs]
        if not pins:
            return

        def last(key: int) -> tuple[bool, float, int]:
            program = self.programs[key]
            return key != own, program.until_s if self.by == "code" else program.arrival_s, key

        broken = max(pins, key=last)
        program = self.programs[broken]
        program.until_s = -inf
        program.evicted = program.ended_s is None
        yield Unpin(broken)
        waiting = view.requests.get(program.request)
        if waiting is not None and waiting.state == "waiting":
            yield Touch(waiting.id)
