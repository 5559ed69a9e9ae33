"""Reference: the same cluster, written plainly. Every running request is touched in every iteration.

Independent of `simcore.books` and `simcore.simulator`: its own event loop, its own books, no closed forms. It
is what the simulator must equal, token by token. Slow on purpose; `tests/bench` measures the ratio.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from simcore.contract import CostModel, Shape
from simcore.contract import decisions as log

SAMPLES, ARRIVALS, TIMERS, LANES = 0, 1, 3, 4


class RefRequest:
    def __init__(self, number: int, arrival: int, prompt: int, output: int) -> None:
        self.id, self.arrival, self.prompt, self.output = number, arrival, prompt, output
        self.generated = self.computed = self.blocks = self.preemptions = 0
        self.times: list[int] = []
        self.scheduled = -1
        self.instance = -1
        self.enqueued = -1
        self.state = "unrouted"

    @property
    def target(self) -> int:
        """Tokens whose KV must stand before the next token comes out."""
        return self.prompt + self.generated


@dataclass
class Rules:
    """The decisions of a system, as plain functions over the reference's own books."""

    budget: int = 2048
    max_seqs: int = 256
    reserve_full_prompt: bool = True
    order: Callable[[RefRequest], object] | None = None
    admit: Callable[["RefInstance", RefRequest], str] | None = None
    victim: Callable[["RefInstance"], RefRequest | None] | None = None
    batch: Callable[["RefInstance"], list[tuple[RefRequest, int]]] | None = None
    route: Callable[["Reference", RefRequest], int | None] = lambda cluster, request: 0
    on_finished: Callable[["Reference", RefRequest], None] | None = None
    on_stepped: Callable[["RefInstance"], None] | None = None
    on_start: Callable[["Reference"], None] | None = None
    on_dispatched: Callable[["RefInstance"], None] | None = None


@dataclass
class RefInstance:
    cluster: "Reference"
    index: int
    free: int
    waiting: list[RefRequest] = field(default_factory=list)
    running: list[RefRequest] = field(default_factory=list)
    batch: list[tuple[RefRequest, int]] = field(default_factory=list)
    busy: bool = False
    in_hook: bool = False
    armed: bool = False
    iterations: int = 0
    numbers: int = 0
    refused: bool = False
    wake_iterations: set[int] = field(default_factory=set)
    wake_free: int | None = None
    pending: list[tuple[str, int]] = field(default_factory=list)

    # -- the queue --------------------------------------------------------------------------------

    def submit(self, request: RefRequest) -> None:
        request.enqueued = self.numbers
        self.numbers += 1
        request.instance = self.index
        self.refused = False
        self.wait(request)
        self.wake()

    def wait(self, request: RefRequest) -> None:
        request.state = "waiting"
        self.waiting.append(request)
        self.sort()

    def sort(self) -> None:
        order = self.cluster.rules.order
        self.waiting.sort(key=lambda r: (order(r) if order else 0, r.enqueued))

    def wake(self) -> None:
        if not self.busy and not self.armed and not self.in_hook:
            self.armed = True
            self.cluster.at(self.cluster.now, LANES + self.index, self.boundary)

    # -- one boundary -------------------------------------------------------------------------------

    def boundary(self) -> None:
        self.armed = False
        self.in_hook = True
        if self.busy:
            self.busy = False
            self.finish_iteration()
        pending, self.pending = self.pending, []
        for verb, number in pending:
            self.carry_out(verb, number)
        self.start_iteration()
        self.in_hook = False

    def finish_iteration(self) -> None:
        cluster, now = self.cluster, self.cluster.now
        self.iterations += 1
        firsts, finished = [], []
        for request, tokens in self.batch:
            request.computed += tokens
            if request.computed == request.target:
                request.generated += 1
                request.times.append(now)
                if len(request.times) == 1:
                    firsts.append(request)
                if request.generated == request.output:
                    finished.append(request)
        self.batch = []
        for request in finished:
            self.free += request.blocks
            request.blocks = 0
            self.running.remove(request)
            request.state = "finished"
            self.refused = False
            del cluster.live[request.id]
        for request in firsts:
            cluster.write(self.index, log.FIRST_TOKEN, request.id, -1)
        for request in finished:
            cluster.write(self.index, log.FINISHED, request.id, request.generated)
            if cluster.rules.on_finished:
                cluster.rules.on_finished(cluster, request)
        due = self.iterations in self.wake_iterations
        self.wake_iterations.discard(self.iterations)
        if self.wake_free is not None and self.free < self.wake_free:
            self.wake_free, due = None, True
        if due:
            self.refused = False
            cluster.write(self.index, log.STEPPED, -1, self.iterations)
            assert cluster.rules.on_stepped
            cluster.rules.on_stepped(self)

    def start_iteration(self) -> None:
        if self.cluster.rules.batch and (self.waiting or self.running):
            self.start_given(self.cluster.rules.batch(self))
        else:
            self.start_planned()

    def start_given(self, plan: list[tuple[RefRequest, int]]) -> None:
        for request, tokens in plan:
            if request in self.waiting:
                self.waiting.remove(request)
                self.running.append(request)
                request.state = "running"
                if request.scheduled < 0:
                    request.scheduled = self.cluster.now
                self.cluster.write(self.index, log.ADMITTED, request.id, tokens)
            blocks = -(-(request.computed + tokens) // self.cluster.block_tokens)
            self.free -= blocks - request.blocks
            request.blocks = blocks
        self.launch(plan)

    def start_planned(self) -> None:
        cluster, rules = self.cluster, self.cluster.rules
        size = cluster.block_tokens
        preempted: list[RefRequest] = []
        while True:  # who runs goes on; who yields when there is no room is decided one by one
            budget, plan = rules.budget, []
            for request in self.running:
                if request.computed == request.target - 1 and request.generated:
                    budget -= 1
                    plan.append((request, 1))
            for request in self.running:
                if not (request.computed == request.target - 1 and request.generated):
                    tokens = min(request.target - request.computed, budget)
                    budget -= tokens
                    plan.append((request, tokens))
            need = sum(-(-(r.computed + tokens) // size) - r.blocks for r, tokens in plan)
            if need <= self.free:
                break
            chosen = rules.victim(self) if rules.victim else None
            chosen = chosen or self.running[-1]
            self.evict(chosen)
            preempted.append(chosen)
        for request, tokens in plan:
            blocks = -(-(request.computed + tokens) // size)
            self.free -= blocks - request.blocks
            request.blocks = blocks
        admitted = []
        if not preempted and not self.refused:
            declined = False
            for request in list(self.waiting):
                if budget <= 0 or len(self.running) >= rules.max_seqs:
                    declined = False
                    break
                tokens = min(request.target, budget)
                if -(-(request.target if rules.reserve_full_prompt else tokens) // size) > self.free:
                    break
                answer = rules.admit(self, request) if rules.admit else "yes"
                if answer != "yes":
                    declined = True
                    if answer == "hold":
                        break
                    continue
                self.waiting.remove(request)
                request.blocks = -(-tokens // size)
                self.free -= request.blocks
                budget -= tokens
                request.state = "running"
                if request.scheduled < 0:
                    request.scheduled = cluster.now
                self.running.append(request)
                plan.append((request, tokens))
                admitted.append((request, tokens))
            self.refused = declined
        for request in preempted:
            cluster.write(self.index, log.PREEMPTED, request.id, request.generated)
        for request, tokens in admitted:
            cluster.write(self.index, log.ADMITTED, request.id, tokens)
        self.launch(plan)

    def launch(self, plan: list[tuple[RefRequest, int]]) -> None:
        self.batch = plan
        if plan:
            duration = self.cluster.cost.line(self.shape(plan))[0]
            self.busy = True
            self.cluster.at(self.cluster.now + duration, LANES + self.index, self.boundary)

    def shape(self, plan: list[tuple[RefRequest, int]]) -> Shape:
        decoding = [r for r, _ in plan if r.generated and r.computed == r.target - 1]
        chunks = [(tokens, r.computed) for r, tokens in plan if r not in decoding]
        return Shape(len(decoding), sum(r.computed + 1 for r in decoding), 0, chunks)

    # -- leaving ----------------------------------------------------------------------------------------

    def leave(self, request: RefRequest) -> None:
        self.running.remove(request)
        self.free += request.blocks
        request.blocks = request.computed = 0
        self.refused = False

    def evict(self, request: RefRequest) -> None:
        self.leave(request)
        request.preemptions += 1
        self.cluster.preemptions += 1
        self.wait(request)

    def ask(self, verb: str, number: int) -> None:
        """The scheduler asks for something."""
        self.cluster.write(self.index, log.PREEMPT, number, -1)
        self.act(verb, number)

    def act(self, verb: str, number: int) -> None:
        """Preempt or abort at the next boundary, or now when this instance stands at one."""
        if self.in_hook and not self.busy:
            self.carry_out(verb, number)
        else:
            self.pending.append((verb, number))
            self.wake()

    def carry_out(self, verb: str, number: int) -> None:
        request = self.cluster.live.get(number)
        overtaken = request is None or request.instance != self.index
        if request is None or overtaken or (verb == "preempt" and request.state != "running"):
            self.cluster.write(self.index if verb == "preempt" else -1, log.OVERTAKEN, number, -1)
            return
        if verb == "abort":
            if request.state == "running":
                self.leave(request)
            else:
                self.waiting.remove(request)
                self.refused = False
            self.cluster.cancel(request)
        else:
            self.evict(request)
            self.cluster.write(self.index, log.PREEMPTED, number, request.generated)


class Reference:
    """A cluster of plain instances."""

    def __init__(
        self, instances: int, kv_blocks: int, block_tokens: int, cost: CostModel, rules: Rules, sample_ps: int | None
    ) -> None:
        self.now = 0
        self.block_tokens = block_tokens
        self.kv_blocks = kv_blocks
        self.cost = cost
        self.rules = rules
        self.sample_ps = sample_ps
        self.instances = [RefInstance(self, i, kv_blocks) for i in range(instances)]
        self.live: dict[int, RefRequest] = {}
        self.requests: list[RefRequest] = []
        self.decisions: list[tuple[int, int, int, int, int]] = []
        self.samples: list[tuple[int, ...]] = []
        self.preemptions = 0
        self.still_to_come = 0
        self._heap: list[tuple[int, int, int, Callable[[], None]]] = []
        self._serial = itertools.count()

    def at(self, time: int, priority: int, what: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (time, priority, next(self._serial), what))

    def write(self, instance: int, kind: int, request: int, detail: int) -> None:
        self.decisions.append((self.now, instance, kind, request, detail))

    def run(self, arrivals: list[tuple[int, int, int]]) -> None:
        if self.rules.on_start:
            self.rules.on_start(self)
        self.requests = [RefRequest(i, *row) for i, row in enumerate(arrivals)]
        self.still_to_come = len(self.requests)
        for request in self.requests:
            self.at(request.arrival, ARRIVALS, partial(self.arrive, request))
        if self.sample_ps is not None:
            self.at(0, SAMPLES, self.sample)
        while self._heap and (self.live or self.still_to_come):
            self.now, _, _, what = heapq.heappop(self._heap)
            what()

    def arrive(self, request: RefRequest) -> None:
        self.still_to_come -= 1
        self.live[request.id] = request
        self.write(-1, log.ARRIVED, request.id, request.prompt)
        chosen = self.rules.route(self, request)
        if chosen is not None:
            self.dispatch(request, chosen)

    def dispatch(self, request: RefRequest, chosen: int) -> None:
        if -(-(request.prompt + request.output - 1) // self.block_tokens) > self.kv_blocks:
            request.state = "rejected"
            del self.live[request.id]
            self.write(-1, log.REJECT, request.id, 0)
            return
        self.write(chosen, log.DISPATCH, request.id, -1)
        self.instances[chosen].submit(request)
        if self.rules.on_dispatched:
            self.rules.on_dispatched(self.instances[chosen])

    def abort(self, number: int) -> None:
        request = self.live[number]
        self.write(-1, log.ABORT, number, -1)
        if request.state == "running":
            self.instances[request.instance].act("abort", number)
            return
        if request.state == "waiting":
            instance = self.instances[request.instance]
            instance.waiting.remove(request)
            instance.refused = False
            instance.wake()
        self.cancel(request)

    def cancel(self, request: RefRequest) -> None:
        request.state = "cancelled"
        del self.live[request.id]
        self.write(request.instance, log.ABORTED, request.id, 0)

    def sample(self) -> None:
        assert self.sample_ps is not None
        for i in self.instances:
            context = sum(r.computed for r in i.running)
            row = (self.now, i.index, len(i.running), len(i.waiting), self.kv_blocks - i.free, self.kv_blocks, context)
            self.samples.append(row)
        if self._heap:
            self.at(self.now + self.sample_ps, SAMPLES, self.sample)
