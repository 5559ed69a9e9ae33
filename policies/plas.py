"""PLAS: the program that has been served least goes first, in queues of service, with quanta and against starvation.

Source: Autellix, arXiv:2502.13965, Algorithms 1 and 2 (program-level attained service; for one call at a time, as here,
ATLAS is the same).

Decides:  the order of the queue; who yields, and every few iterations which calls lose their place to others.
Leaves:   where a call goes: Autellix sends those of up to 2,048 tokens to the least used engine and longer ones home
          (`session_sticky`); admission, chunking, and what becomes of KV.
Differs:  queues, quanta and beta are parameters, for the paper gives none; a call is served from its first iteration
          on, what it waits for after a preemption included.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from simcore.contract import (
    Actions,
    Arrived,
    Cancelled,
    Finished,
    LaneView,
    Preempt,
    RequestId,
    RequestView,
    Scheduler,
    Stepped,
    Touch,
    TurnEnded,
    WakeAfter,
)


@dataclass
class Call:
    """A call, and the program it is of. Times in seconds."""

    program: int
    queue: int
    arrival_s: float
    queued_s: float
    """How long it was served when it entered its queue."""
    served_s: float = 0.0
    seen_s: float = 0.0
    waits_s: float = 0.0
    runs_s: float = 0.0
    """Both since it was promoted last."""


class Plas(Scheduler):
    """Args:
    edges_s: of service, ascending, that part the queues: n edges make n + 1 queues.
    quanta: of its range's width a call may run in a queue, until it goes one down; the last queue has none.
    beta: a call whose program has waited so many times what it ran goes to the first queue.
    every: iterations between two looks at those who run, >= 1.
    """

    def __init__(
        self,
        *,
        edges_s: Sequence[float] = (2.0, 8.0, 32.0, 128.0),
        quanta: float = 1.0,
        beta: float = 8.0,
        every: int = 64,
        max_num_batched_tokens: int = 2048,
        max_num_seqs: int = 256,
        reserve_full_prompt: bool = True,
    ) -> None:
        super().__init__(
            max_num_batched_tokens=max_num_batched_tokens,
            max_num_seqs=max_num_seqs,
            reserve_full_prompt=reserve_full_prompt,
        )
        if list(edges_s) != sorted(set(edges_s)) or (edges_s and edges_s[0] <= 0):
            raise ValueError(f"edges_s must be above 0 and ascend, got {list(edges_s)}")
        for name, value in (("quanta", quanta), ("beta", beta)):
            if not value > 0:
                raise ValueError(f"{name} must be > 0, got {value}")
        if every < 1:
            raise ValueError(f"every must be >= 1, got {every}")
        self.edges_s, self.quanta, self.beta, self.every = tuple(edges_s), quanta, beta, every
        self.calls: dict[RequestId, Call] = {}
        self.service_s: dict[int, float] = {}
        """What the completed calls of a program ran for: its priority."""
        self.waited_s: dict[int, float] = {}

    def queue_of(self, service_s: float) -> int:
        """Return the queue whose range holds so much service, the first is 0."""
        return sum(service_s >= edge for edge in self.edges_s)

    def order(self, request: RequestView) -> tuple[int, float, RequestId]:
        call = self.calls.get(request.id)
        service_s = 0.0 if request.program is None else self.service_s.get(request.program, 0.0)
        return (self.queue_of(service_s) if call is None else call.queue), request.arrival_s, request.id

    def victim(self, view: LaneView) -> RequestId:
        return max(view.running, key=lambda running: self.order(view.requests[running]))

    # -- calls come and end ---------------------------------------------------------------------------------------

    def on_start(self, view: LaneView) -> Actions:
        return (WakeAfter(self.every),)

    def on_arrived(self, view: LaneView, fact: Arrived) -> Actions:
        request = view.requests[fact.request]
        program = -1 - request.id if request.program is None else request.program
        queue = self.queue_of(self.service_s.get(program, 0.0))
        self.calls[request.id] = Call(program, queue, request.arrival_s, 0.0, seen_s=view.now_s)
        return ()

    def on_finished(self, view: LaneView, fact: Finished) -> Actions:
        call = self.calls.pop(fact.request, None)
        if call is not None and call.program >= 0:
            self._pass(call, view.now_s, running=True)
            self.service_s[call.program] = self.service_s.get(call.program, 0.0) + call.served_s
            self.waited_s[call.program] = self.waited_s.get(call.program, 0.0) + call.waits_s
        return ()

    def on_turn_ended(self, view: LaneView, fact: TurnEnded) -> Actions:
        if not fact.tool:
            self._forget(fact.program)
        return ()

    def on_cancelled(self, view: LaneView, fact: Cancelled) -> Actions:
        call = self.calls.pop(fact.request, None)
        if call is not None:
            self._forget(call.program)
        return ()

    def _forget(self, program: int) -> None:
        self.service_s.pop(program, None)
        self.waited_s.pop(program, None)

    # -- every few iterations -----------------------------------------------------------------------------------------

    def on_stepped(self, view: LaneView, fact: Stepped) -> Actions:
        """Move calls between the queues, and let those run that are first in them and fit together."""
        yield WakeAfter(self.every)
        if len(self.calls) > len(view.requests):  # some were lost with the instance, and nobody told
            self.calls = {request: call for request, call in self.calls.items() if request in view.requests}
        running = view.running
        for request in (*running, *view.waiting):
            call = self.calls.get(request)
            if call is None:
                continue
            self._pass(call, view.now_s, running=request in running)
            if self._moves(call) and view.requests[request].state in ("waiting", "swapped"):
                yield Touch(request)
        yield from self._preemptions(view, running)

    def _pass(self, call: Call, now_s: float, running: bool) -> None:
        """Count the time since a call was looked at last."""
        passed, call.seen_s = now_s - call.seen_s, now_s
        if running:
            call.served_s += passed
            call.runs_s += passed
        else:
            call.waits_s += passed

    def _moves(self, call: Call) -> bool:
        """Promote a call that starves, demote one whose quantum is used up; return whether its queue is another."""
        waited = self.waited_s.get(call.program, 0.0) + call.waits_s
        ran = self.service_s.get(call.program, 0.0) + call.runs_s
        before = call.queue
        if call.queue and waited >= self.beta * ran and waited > 0:
            call.queue, call.queued_s = 0, call.served_s
            call.waits_s = call.runs_s = 0.0
        elif call.queue < len(self.edges_s) and call.served_s - call.queued_s >= self._quantum_s(call.queue):
            call.queue, call.queued_s = call.queue + 1, call.served_s
        return call.queue != before

    def _quantum_s(self, queue: int) -> float:
        low = self.edges_s[queue - 1] if queue else 0.0
        return self.quanta * (self.edges_s[queue] - low)

    def _preemptions(self, view: LaneView, running: Sequence[RequestId]) -> Actions:
        """Those who run and would not, were the batch formed anew, in order of the queues, up to what does not fit."""
        waiting = view.waiting
        if not waiting or not running:
            return
        requests = view.requests
        head = self.order(requests[waiting[0]])
        need = -(-requests[waiting[0]].prompt_tokens // view.block_tokens)
        free, seats = view.free_blocks, self.max_num_seqs - len(running)
        for request in sorted(running, key=lambda each: self.order(requests[each]), reverse=True):
            if (need <= free and seats > 0) or self.order(requests[request])[0] <= head[0]:
                return
            free += requests[request].kv_blocks
            seats += 1
            yield Preempt(request)
