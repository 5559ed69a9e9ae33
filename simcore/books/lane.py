"""Lane: one batch of running requests over a KV pool, kept so that an iteration costs the same at any batch size.

A lane counts its iterations (`it`). A decode gains one token per iteration, so all about it is affine in `it`:
it has `offset + it` tokens in the KV cache, ends when `it == ends`, and writes the first token of a block when
`(offset + it) % block_tokens == 0`. So the lane keeps sums over its decodes (their count, the sum of offsets,
how many start a block in each phase) and a heap of ends, and touches no request per token. At most one
prefill is partial at a time, and it is the newest running request.

`schedule` forms the next iteration as vLLM V1 does: running requests first; if KV runs out, victims yield
and are computed again later; then waiting requests in order, under a token budget, none in an iteration that
preempted. `settle(k)` says that k such iterations have ended. No clock here: the caller brings the time.
"""

from collections.abc import Callable
from heapq import heappop, heappush

from simcore.books.pool import KvPool
from simcore.books.queues import Fifo, Queue
from simcore.books.request import FINISHED, NEVER, RUNNING, WAITING, Request
from simcore.contract import Admit, Scheduler, Shape


class Lane:
    """The running batch and the waiting queue of one lane.

    Args:
        index: position among all lanes of the cluster; simultaneous boundaries go in this order.
        pool: the KV pool it allocates from.
        scheduler: its limits are read once, here.
        queue: the waiting queue; FCFS if None.
    """

    def __init__(self, index: int, pool: KvPool, scheduler: Scheduler, queue: Queue | None = None) -> None:
        self.index = index
        self.pool = pool
        self.budget = scheduler.max_num_batched_tokens
        self.max_seqs = scheduler.max_num_seqs
        self.reserve_full_prompt = scheduler.reserve_full_prompt
        self.waiting: Queue = queue if queue is not None else Fifo()
        self.admit: Callable[[Request], Admit] | None = None
        self.victim: Callable[[], Request | None] | None = None
        self.refused = False
        """The scheduler declined someone; it is asked again only after something changed."""
        self.it = 0
        self.running: dict[Request, None] = {}
        self.decodes = 0
        self.offsets = 0
        self.phase = [0] * pool.block_tokens
        self.ends: list[tuple[int, int, Request]] = []
        self.chunks: list[tuple[Request, int]] = []
        """Prefill chunks of the iteration in flight: (request, tokens)."""
        self.partial: Request | None = None
        """The running request that still has prompt left after the iteration in flight."""
        self.preempted: list[Request] = []
        """Who lost its place when the iteration in flight was formed."""
        self.admitted: list[tuple[Request, int]] = []
        """Who starts in the iteration in flight, with the tokens of its first chunk."""
        self.shape = Shape()
        self.waiting_tokens = 0
        self.waiting_blocks = 0
        self.waiting_preempted = 0
        self.preemptions = 0
        self._seq = 0
        self._enqueued = 0

    # -- the queue ----------------------------------------------------------------------------------------

    def enqueue(self, request: Request) -> bool:
        """Put a request at the end of its order; return whether it is now the head."""
        request.enqueued = self._enqueued
        self._enqueued += 1
        request.lane = self.index
        self.refused = False
        return self._wait(request)

    def _wait(self, request: Request) -> bool:
        request.state = WAITING
        tokens = request.prompt + request.generated
        self.waiting_tokens += tokens
        self.waiting_blocks += self.pool.blocks_for(tokens)
        return self.waiting.push(request)

    def _unwait(self, request: Request) -> None:
        tokens = request.prompt + request.generated
        self.waiting_tokens -= tokens
        self.waiting_blocks -= self.pool.blocks_for(tokens)
        if request.preemptions:
            self.waiting_preempted -= 1

    def withdraw(self, request: Request) -> None:
        """Take a waiting request out of the queue for good."""
        self.waiting.remove(request)
        self._unwait(request)
        self.refused = False

    # -- an iteration ends ----------------------------------------------------------------------------------

    def settle(self, k: int, now: int, firsts: list[Request] | None, gaps: list[int]) -> list[Request]:
        """Book `k` iterations of the batch in flight, the last of which ended at `now`; return who finished.

        k may exceed 1 only as `schedule` allowed: nobody finishes, and no prefill ends, before the last one.
        Requests whose first token came out are added to `firsts`; the wait for the token after a preemption
        to `gaps`, picoseconds.
        """
        size, phase, ends, pool, decodes = self.pool.block_tokens, self.phase, self.ends, self.pool, self.decodes
        it = self.it
        if k > 1:
            cycles, rest = divmod(k - 1, size)
            taken = cycles * decodes
            for i in range(it + 1, it + 1 + rest):
                taken += phase[i % size]
            pool.free -= taken
            if pool.tables is not None:
                pool.tables.decode(self.running, it + 1, it + k)
        it += k
        self.it = it
        finished: list[Request] = []
        while ends and ends[0][0] <= it:
            end, seq, request = heappop(ends)
            if request.ends != end or request.seq != seq:
                continue  # it was preempted since
            self.decodes -= 1
            self.offsets -= request.offset
            phase[-request.offset % size] -= 1
            pool.free += (request.offset + it - 1) // size + 1
            request.generated = request.output
            finished.append(request)
        for request, new in self.chunks:
            if k > 1:  # a run of full chunks of one long prompt
                new *= k
                blocks = pool.blocks_for(request.computed + new) - request.blocks
                pool.free -= blocks
                request.blocks += blocks
                if pool.tables is not None:
                    pool.tables.grow(request, blocks)
            request.computed += new
            if request.computed == request.prompt + request.generated:
                self._prefilled(request, now, firsts, gaps, finished)
        self.chunks = []
        for request in finished:
            del self.running[request]
            request.ends = NEVER
            request.last_ps = now
            request.state = FINISHED
            if request.spans is not None:
                first = request.spans[-1][1]
                request.spans[-1] = (self.index, first, it)
            if pool.tables is not None:
                pool.tables.release(request)
        if finished:
            self.refused = False
        return finished

    def _prefilled(
        self, request: Request, now: int, firsts: list[Request] | None, gaps: list[int], finished: list[Request]
    ) -> None:
        """A prompt is through, and a token came out: the request decodes from here, or is done."""
        if self.partial is request:
            self.partial = None
        if request.first_ps == NEVER:
            request.first_ps = now
            if firsts is not None:
                firsts.append(request)
        else:
            gaps.append(now - request.last_ps)
        request.generated += 1
        it = self.it
        if request.spans is not None:
            request.spans.append((self.index, it, it))
        if request.generated == request.output:
            self.pool.free += request.blocks
            finished.append(request)
            return
        offset = request.computed - it
        request.offset = offset
        request.ends = it + request.output - request.generated
        heappush(self.ends, (request.ends, request.seq, request))
        self.decodes += 1
        self.offsets += offset
        self.phase[-offset % self.pool.block_tokens] += 1

    # -- the next iteration -----------------------------------------------------------------------------------

    def schedule(self, now: int) -> bool:
        """Form the next iteration: allocate its blocks, fill `chunks` and `shape`; return whether there is one."""
        pool, phase, it = self.pool, self.phase, self.it
        size = pool.block_tokens
        partial = self.partial
        self.partial = None
        if partial is not None and partial.state != RUNNING:
            partial = None
        preempted = self.preempted
        if preempted:
            preempted.clear()
        need = phase[it % size]
        chunk = blocks = 0
        if partial is not None or need > pool.free:
            while True:
                need = phase[it % size]
                if partial is not None:
                    chunk = min(partial.prompt + partial.generated - partial.computed, self.budget - self.decodes)
                    blocks = pool.blocks_for(partial.computed + chunk) - partial.blocks
                if need + blocks <= pool.free:
                    break
                victim = self._next_victim()
                self.preempt(victim, now)
                if victim is partial:
                    partial, chunk, blocks = None, 0, 0
        decodes = self.decodes
        if pool.tables is not None:
            pool.tables.decode(self.running, it, it + 1)
        pool.free -= need + blocks
        context = self.offsets + decodes * (it + 1)
        shape = self.shape
        shape.decodes = decodes
        shape.context = context
        chunks = self.chunks
        spans: list[tuple[int, int]] = []
        budget = self.budget - decodes
        if partial is not None and chunk:
            if pool.tables is not None:
                pool.tables.grow(partial, blocks)
            partial.blocks += blocks
            budget -= chunk
            chunks.append((partial, chunk))
            spans.append((chunk, partial.computed))
        if partial is not None and partial.computed + chunk < partial.prompt + partial.generated:
            self.partial = partial
        if self.admitted:
            self.admitted.clear()
        if self.waiting and not preempted and not self.refused:
            if self.admit is None:
                self._admit_in_order(budget, spans, now)
            else:
                self._admit_asking(budget, spans, now)
        shape.chunks = spans
        return bool(self.running)

    def _admit_in_order(self, budget: int, spans: list[tuple[int, int]], now: int) -> None:
        waiting, running, pool = self.waiting, self.running, self.pool
        size = pool.block_tokens
        while budget > 0 and waiting and len(running) < self.max_seqs:
            request = waiting.head()
            tokens = request.prompt + request.generated
            new = tokens if tokens < budget else budget
            if -(-(tokens if self.reserve_full_prompt else new) // size) > pool.free:
                return
            waiting.pop()
            self._start(request, new, spans, now)
            budget -= new

    def _admit_asking(self, budget: int, spans: list[tuple[int, int]], now: int) -> None:
        """The same, but the scheduler may decline; it stays declined until something changes."""
        pool, refused = self.pool, False
        assert self.admit is not None
        for request in list(self.waiting):
            if budget <= 0 or len(self.running) >= self.max_seqs:
                return
            tokens = request.prompt + request.generated
            new = min(tokens, budget)
            if pool.blocks_for(tokens if self.reserve_full_prompt else new) > pool.free:
                break
            answer = self.admit(request)
            if answer == "yes":
                self.waiting.remove(request)
                self._start(request, new, spans, now)
                budget -= new
            else:
                refused = True
                if answer == "hold":
                    break
        self.refused = refused

    def _start(self, request: Request, new: int, spans: list[tuple[int, int]], now: int) -> None:
        pool = self.pool
        self._unwait(request)
        blocks = -(-new // pool.block_tokens)
        pool.free -= blocks
        request.blocks = blocks
        if pool.tables is not None:
            pool.tables.grow(request, blocks)
        self._seq += 1
        request.seq = self._seq
        request.state = RUNNING
        if request.scheduled_ps == NEVER:
            request.scheduled_ps = now
        self.running[request] = None
        self.chunks.append((request, new))
        self.admitted.append((request, new))
        spans.append((new, 0))
        if new < request.prompt + request.generated:
            self.partial = request

    # -- preemption ---------------------------------------------------------------------------------------------

    def _next_victim(self) -> Request:
        if self.victim is not None:
            chosen = self.victim()
            if chosen is not None:
                return chosen
        return next(reversed(self.running))

    def preempt(self, request: Request, now: int) -> None:
        """Take a running request out at a boundary, drop its KV, and put it back in the queue."""
        self._leave(request, now)
        request.preemptions += 1
        self.preemptions += 1
        self.waiting_preempted += 1
        self.preempted.append(request)
        self._wait(request)

    def abort(self, request: Request, now: int) -> None:
        """Take a running request out at a boundary, for good."""
        self._leave(request, now)

    def _leave(self, request: Request, now: int) -> None:
        pool, it = self.pool, self.it
        if request.ends >= 0:
            size = pool.block_tokens
            self.decodes -= 1
            self.offsets -= request.offset
            self.phase[-request.offset % size] -= 1
            pool.free += (request.offset + it - 1) // size + 1
            request.generated = request.output - (request.ends - it)
            request.ends = NEVER
            request.last_ps = now  # each decode emitted a token at this boundary
            if request.spans is not None:
                request.spans[-1] = (self.index, request.spans[-1][1], it)
        else:
            pool.free += request.blocks
        if pool.tables is not None:
            pool.tables.release(request)
        request.computed = request.blocks = 0
        del self.running[request]
        self.refused = False

    # -- how far the batch can go as it is ------------------------------------------------------------------------

    def horizon(self) -> int:
        """Return for how many iterations the batch in flight stays as it is, at least 1.

        Until someone finishes, a prefill ends, or KV may run out. Admission stays impossible meanwhile: with
        no prefill nothing is freed, so who did not fit now will not fit; in a run of chunks the budget is spent.
        """
        if self.preempted:
            return 1  # nobody was admitted in this iteration; the next one looks at the queue again
        chunks = self.chunks
        if chunks:
            partial = self.partial
            if partial is None or len(chunks) > 1 or chunks[0][0] is not partial:
                return 1
            return self._chunk_run(partial, chunks[0][1])
        k = self._next_end() - self.it
        size, free = self.pool.block_tokens, self.pool.free
        if k > 1 and self.decodes * ((k + size - 2) // size) > free:
            k = min(k, self.iterations_that_fit(free) + 1)
        return k

    def _next_end(self) -> int:
        ends = self.ends
        while True:
            end, seq, request = ends[0]
            if request.ends == end and request.seq == seq:
                return end
            heappop(ends)

    def _chunk_run(self, partial: Request, chunk: int) -> int:
        """A prompt longer than the budget: the next chunks are as large as this one, until the last."""
        if chunk != self.budget - self.decodes:
            return 1
        k = (partial.prompt + partial.generated - partial.computed) // chunk
        if self.decodes:
            k = min(k, self._next_end() - self.it)
        pool, size = self.pool, self.pool.block_tokens
        # Halving finds a length that surely fits; a shorter run than possible is only slower.
        while k > 1:
            most = pool.blocks_for(partial.computed + k * chunk) - partial.blocks + self.decodes * -(-(k - 1) // size)
            if most <= pool.free:
                break
            k >>= 1
        return max(k, 1)

    def iterations_that_fit(self, free: int) -> int:
        """Return how many iterations after the one in flight can take their blocks from `free` blocks."""
        decodes = self.decodes
        if not decodes:
            return 1 << 60
        size, phase = self.pool.block_tokens, self.phase
        cycles, left = divmod(free, decodes)
        fit = cycles * size
        i = self.it + 1 + fit
        while True:  # ends within one cycle: a whole cycle takes `decodes` blocks, and fewer are left
            left -= phase[i % size]
            if left < 0:
                return fit
            fit += 1
            i += 1

    # -- reading in the middle of a step ----------------------------------------------------------------------------

    def free_after(self, iterations: int) -> int:
        """Return the free blocks at the boundary after `iterations` >= 0 iterations of the batch in flight."""
        free = self.pool.free
        if iterations > 0:
            size, phase, it = self.pool.block_tokens, self.phase, self.it
            cycles, rest = divmod(iterations, size)
            free -= cycles * self.decodes
            for i in range(it + 1, it + 1 + rest):
                free -= phase[i % size]
            if self.chunks:
                request, new = self.chunks[0]
                free -= self.pool.blocks_for(request.computed + (iterations + 1) * new) - request.blocks
        return free

    def context_after(self, iterations: int) -> int:
        """Return the tokens in the KV cache at the boundary after `iterations` iterations of the batch in flight."""
        tokens = self.offsets + self.decodes * (self.it + iterations)
        for request, new in self.chunks:
            tokens += request.computed + new * iterations
        return tokens

    def generated_by(self, request: Request, iterations: int) -> int:
        """Return the tokens `request` has generated at that boundary."""
        if request.ends >= 0:
            return request.output - (request.ends - self.it - iterations)
        return request.generated

    def blocks_of(self, request: Request, iterations: int, in_flight: bool) -> int:
        """Return the KV blocks `request`, running here, holds at that boundary.

        An iteration in flight holds the block it writes to.
        """
        size = self.pool.block_tokens
        if request.ends >= 0:
            return (request.offset + self.it + iterations - (not in_flight)) // size + 1
        for chunked, new in self.chunks:
            if chunked is request:
                return self.pool.blocks_for(request.computed + (iterations + 1) * new)
        return request.blocks

    def check(self) -> None:
        """Assert that the books of this lane agree with themselves; call it at a boundary, after `settle`."""
        size = self.pool.block_tokens
        decoding = [r for r in self.running if r.ends >= 0]
        assert self.decodes == len(decoding)
        assert self.offsets == sum(r.offset for r in decoding)
        assert sum(self.phase) == self.decodes
        assert all(r.ends > self.it for r in decoding), "a request outlived its end"
        assert self.waiting_tokens == sum(r.prompt + r.generated for r in self.waiting)
        assert self.waiting_preempted == sum(r.preemptions > 0 for r in self.waiting)
        held = sum((r.offset + self.it - 1) // size + 1 if r.ends >= 0 else r.blocks for r in self.running)
        assert self.pool.free + held == self.pool.total, f"{self.pool.free} free + {held} held != {self.pool.total}"
        if self.pool.tables is not None:
            self.pool.tables.check(self.pool.free)
