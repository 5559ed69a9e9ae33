"""Lane: forms the iterations of one batch over a KV pool and the queue that waits for it.

`schedule` forms the next iteration as vLLM V1 does: running requests first; if KV runs out, victims yield and
are computed again later; then waiting requests in order, under a token budget, none in an iteration that
preempted. `settle(k)` books k such iterations at once. At most one prefill is partial at a time, and it is the
newest running request. The work is the same at any batch size: what decodes do is kept in closed form.

There is no clock here: whoever drives the lane brings the time.
"""

from collections.abc import Iterable
from heapq import heappush

from simcore.books.ledger import Ledger
from simcore.books.request import CANCELLED, FINISHED, NEVER, RUNNING, Request
from simcore.contract import IllegalAction


class Lane(Ledger):
    """Forms iterations, and books them when they have ended.

    `steady` says that every decode gains a token in every iteration, so that its gaps are the iterations.
    """

    __slots__ = ()

    steady = True

    # -- iterations end -------------------------------------------------------------------------------------

    def settle(self, k: int, now: int, firsts: list[Request] | None, gaps: list[int]) -> list[Request]:
        """Book `k` iterations of the batch in flight, the last of which ended at `now`; return who finished.

        k may exceed 1 only as far as `horizon` allows. Requests whose first token came out are added to
        `firsts`; the wait for the token after a preemption to `gaps`, picoseconds.
        """
        pool, decodes, it = self.pool, self.decodes, self.it
        tables = pool.tables
        if k > 1:
            taken = decodes.blocks_taken(it + 1, k - 1)
            pool.free -= taken
            if tables is not None:
                tables.decode(self.running, it + 1, it + k, taken)
        self.it = it = it + k
        finished: list[Request] = []
        ends = decodes.ends
        while ends and ends[0][0] <= it:
            request = decodes.pop_end()
            if request is not None:
                blocks = decodes.remove(request, it)
                pool.free += blocks if tables is None else tables.release(request, blocks)
                finished.append(request)
        if self.chunks:
            for request, new in self.chunks:
                if k > 1:  # a run of full chunks of one long prompt
                    new *= k
                    self._grow(request, request.computed + new)
                request.computed += new
                if request.computed == request.prompt + request.generated:
                    self._prefilled(request, now, firsts, gaps, finished)
            self.chunks = []
        if finished:
            self.refused = False
            self.moved = True
            for request in finished:
                del self.running[request]
                request.last_ps = now
                request.state = FINISHED
                if request.spans is not None:
                    request.spans[-1] = (self.index, request.spans[-1][1], it - decodes.late)
        return finished

    def step_by(self, iterations: int) -> None:
        """Book iterations of the batch in flight, none of them its last; the next of them is under way."""
        taken = self.decodes.blocks_taken(self.it + 1, iterations)
        self.pool.free -= taken
        if self.pool.tables is not None:
            self.pool.tables.decode(self.running, self.it + 1, self.it + iterations + 1, taken)
        for request, new in self.chunks:
            request.computed += new * iterations
            self._grow(request, request.computed + new)
        shape = self.shape
        shape.context += shape.decodes * iterations
        shape.longest += iterations
        shape.chunks = [(new, before + new * iterations) for new, before in shape.chunks]
        self.it += iterations

    def _grow(self, request: Request, tokens: int) -> None:
        """Give `request` the blocks for the first `tokens` tokens of what it computes."""
        pool = self.pool
        blocks = pool.blocks_for(tokens) - request.blocks
        pool.free -= blocks if pool.tables is None else pool.tables.grow(request, tokens, blocks)
        request.blocks += blocks

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
        if request.spans is not None:
            request.spans.append((self.index, self.it, self.it))
        if request.generated == request.output and not self.decodes.late:
            pool, blocks = self.pool, request.blocks
            pool.free += blocks if pool.tables is None else pool.tables.release(request, blocks)
            finished.append(request)
        else:
            self.decode_on(request, now)

    def end_with(self, request: Request, generated: int) -> None:
        """The token that comes out of the iteration formed is the last of `request`: so many, fewer than was said."""
        request.output = generated
        if request.ends >= 0:
            request.ends = self.it + 1 + self.decodes.late
            heappush(self.decodes.ends, (request.ends, request.seq, request))

    def decode_on(self, request: Request, now: int) -> None:
        """`request` has its first token, or the next after a preemption, and decodes from here."""
        self.decodes.add(request, self.it)

    # -- the next iteration -----------------------------------------------------------------------------------

    def schedule(self, now: int) -> bool:
        """Form the next iteration: allocate its blocks, fill `chunks` and `shape`; return whether there is one."""
        pool, decodes, it = self.pool, self.decodes, self.it
        partial, self.partial = self.partial, None
        if self.preempted:
            self.preempted.clear()
        if self.admitted:
            self.admitted.clear()
        need = decodes.phase[it % self.block_tokens]
        chunk = 0
        if partial is not None or need > pool.free:
            partial, need, chunk = self._make_room(partial, now)
        if pool.tables is not None:
            pool.tables.decode(self.running, it, it + 1, need)
        pool.free -= need
        running = decodes.count
        shape = self.shape
        shape.decodes = running
        shape.context = decodes.offsets + running * (it + 1)
        spans: list[tuple[int, int]] = []
        shape.chunks = spans
        if partial is not None:
            self._grow(partial, partial.computed + chunk)
            self.chunks.append((partial, chunk))
            spans.append((chunk, partial.computed))
            if partial.computed + chunk < partial.prompt + partial.generated:
                self.partial = partial
        if self.waiting and not self.preempted and not self.refused:
            if self.admit is None:
                self._admit_in_order(self.budget - running - chunk, now)
            else:
                self._admit_asking(self.budget - running - chunk, now)
        return bool(self.running)

    def _make_room(self, partial: Request | None, now: int) -> tuple[Request | None, int, int]:
        """Preempt until this iteration's blocks fit; return (partial, decodes' blocks, its chunk)."""
        pool, decodes = self.pool, self.decodes
        while True:
            need = decodes.phase[self.it % self.block_tokens]
            chunk = blocks = 0
            if partial is not None:
                chunk = min(partial.prompt + partial.generated - partial.computed, self.budget - decodes.count)
                blocks = pool.blocks_for(partial.computed + chunk) - partial.blocks
            if need + blocks <= pool.free:
                return partial, need, chunk
            self._run_short(need + blocks, partial)
            victim = self.victim() if self.victim is not None else None
            if victim is None:
                victim = next(reversed(self.running))
            self.preempt(victim, now)
            if victim is partial:
                partial = None

    def _run_short(self, blocks: int, partial: Request | None) -> None:
        """So many blocks are needed and are not free: somebody is about to yield."""

    def _admit_in_order(self, budget: int, now: int) -> None:
        waiting, running, pool = self.waiting, self.running, self.pool
        while budget > 0 and waiting and len(running) < self.max_seqs:
            request = waiting.head()
            tokens = request.prompt + request.generated
            new = tokens if tokens < budget else budget
            if -(-(tokens if self.reserve_full_prompt else new) // self.block_tokens) > pool.free:
                return
            waiting.take()
            self._start(request, new, now)
            budget -= new

    def _admit_asking(self, budget: int, now: int) -> None:
        """The same, but the scheduler may decline; who was declined stays so until something changes."""
        refused = False
        for request in self._candidates():
            if budget <= 0 or self._seats() <= 0:
                return
            tokens = self._cost(request, budget)
            if tokens is None:
                break
            answer = self.admit(request) if self.admit is not None else "yes"
            if answer == "yes":
                self.waiting.remove(request)
                self._start(request, tokens, now)
                budget -= tokens
            elif answer in ("no", "hold"):
                refused = True
                if answer == "hold":
                    break
            else:
                raise IllegalAction(f"admit: must answer 'yes', 'no' or 'hold', got {answer!r}")
        self.refused = refused

    def _candidates(self) -> Iterable[Request]:
        """Return who may be admitted, in order; those admitted leave the queue meanwhile."""
        return list(self.waiting)

    def _seats(self) -> int:
        """Return how many more may run."""
        return self.max_seqs - len(self.running)

    def _cost(self, request: Request, budget: int) -> int | None:
        """Return how many tokens of the budget a request takes if it starts now; None: it does not fit."""
        target = request.prompt + request.generated
        new = min(target, budget)
        return new if self.pool.blocks_for(target if self.reserve_full_prompt else new) <= self.pool.free else None

    def _start(self, request: Request, new: int, now: int) -> None:
        pool = self.pool
        self.unwait(request)
        request.blocks = blocks = -(-new // self.block_tokens)
        pool.free -= blocks
        if pool.tables is not None:
            pool.tables.grow(request, new, blocks)
        self.seq += 1
        request.seq = self.seq
        request.state = RUNNING
        if request.scheduled_ps == NEVER:
            request.scheduled_ps = now
        self.running[request] = None
        self.chunks.append((request, new))
        self.admitted.append((request, new))
        self.shape.chunks.append((new, 0))
        if new < request.prompt + request.generated:
            self.partial = request

    # -- leaving the batch at a boundary --------------------------------------------------------------------------

    def preempt(self, request: Request, now: int) -> None:
        """Take a running request out, drop its KV, and put it back in the queue."""
        self._leave(request, now)
        request.preemptions += 1
        self.preemptions += 1
        self.preempted.append(request)
        self.wait(request)

    def abort(self, request: Request, now: int) -> None:
        """Take a running request out, for good."""
        self._leave(request, now)
        request.state = CANCELLED

    def _leave(self, request: Request, now: int) -> None:
        pool = self.pool
        self._stop(request, now)
        blocks = request.blocks
        pool.free += blocks if pool.tables is None else pool.tables.release(request, blocks)
        request.computed = request.blocks = 0

    def _stop(self, request: Request, now: int) -> None:
        """Take a running request out of the batch; `computed` and `blocks` say what KV it holds."""
        if self.partial is request:
            self.partial = None
        if request.ends >= 0:
            request.blocks = self.decodes.remove(request, self.it)
            request.last_ps = now  # each decode emitted a token at this boundary
            if request.spans is not None:
                request.spans[-1] = (self.index, request.spans[-1][1], self.it)
        del self.running[request]
        self.refused = False
        self.moved = True

    # -- how far the batch can go as it is ------------------------------------------------------------------------

    def horizon(self, free: int) -> int:
        """Return for how many iterations the batch in flight stays as it is, at least 1, given `free` blocks.

        Until someone finishes, a prefill ends, or KV may run out. Admission stays impossible meanwhile: with
        no prefill nothing is freed, so who did not fit now will not fit; in a run of chunks the budget is spent.
        """
        if self.preempted:
            return 1  # nobody was admitted in this iteration; the next one looks at the queue again
        if self.chunks:
            return self._chunk_run(free)
        decodes = self.decodes
        k = decodes.next_end() - self.it
        size = self.block_tokens
        if k > 1 and decodes.count * ((k + size - 2) // size) > free:
            k = min(k, decodes.iterations_that_fit(self.it + 1, free) + 1)
        return k

    def _chunk_run(self, free: int) -> int:
        """A prompt longer than the budget: the next chunks are as large as this one, until the last."""
        partial, decodes = self.partial, self.decodes
        if partial is None or len(self.chunks) > 1:
            return 1
        chunk = self.chunks[0][1]
        k = (partial.prompt + partial.generated - partial.computed) // chunk
        if decodes.count:
            k = min(k, decodes.next_end() - self.it)
        # Halving finds a length that surely fits; a shorter run than possible is only slower.
        while k > 1:
            most = decodes.count * -(-(k - 1) // self.block_tokens)
            most += self.pool.blocks_for(partial.computed + k * chunk) - partial.blocks
            if most <= free:
                break
            k >>= 1
        return max(k, 1)
