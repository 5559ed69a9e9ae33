"""Ledger: what a lane holds (its queue, its running batch, its share of the KV pool) and how that reads in mid-step.

Between two boundaries only decodes and a run of chunks move on, and both are affine in the iteration: so each
reading is a closed form of how many iterations have passed since the books were last settled.
"""

from collections.abc import Callable

from simcore.books.decodes import Decodes
from simcore.books.pool import KvPool
from simcore.books.queues import Fifo, Queue
from simcore.books.request import CANCELLED, WAITING, Request
from simcore.contract import Admit, Scheduler, Shape


class Ledger:
    """The running batch and the waiting queue of one lane.

    Args:
        index: position among all lanes of the cluster; simultaneous boundaries go in this order.
        pool: the KV pool it allocates from.
        scheduler: its limits are read once, here.
        queue: the waiting queue; FCFS if None.
    """

    __slots__ = (
        "_enqueued",
        "admit",
        "admitted",
        "block_tokens",
        "budget",
        "chunks",
        "decodes",
        "index",
        "it",
        "max_seqs",
        "moved",
        "partial",
        "pool",
        "preempted",
        "preemptions",
        "refused",
        "reserve_full_prompt",
        "running",
        "seq",
        "shape",
        "victim",
        "waiting",
        "waiting_blocks",
        "waiting_preempted",
        "waiting_tokens",
    )

    def __init__(self, index: int, pool: KvPool, scheduler: Scheduler, queue: Queue | None = None) -> None:
        self.index = index
        self.pool = pool
        self.block_tokens = pool.block_tokens
        self.budget = scheduler.max_num_batched_tokens
        self.max_seqs = scheduler.max_num_seqs
        self.reserve_full_prompt = scheduler.reserve_full_prompt
        self.waiting: Queue = queue if queue is not None else Fifo()
        self.admit: Callable[[Request], Admit] | None = None
        self.victim: Callable[[], Request | None] | None = None
        self.refused = False
        """The scheduler declined someone; it is asked again only after something changed."""
        self.it = 0
        """Iterations completed."""
        self.running: dict[Request, None] = {}
        """In order of admission."""
        self.decodes = Decodes(pool.block_tokens)
        self.chunks: list[tuple[Request, int]] = []
        """Prefill chunks of the iteration in flight: (request, tokens)."""
        self.partial: Request | None = None
        """The running request that still has prompt left after the iteration in flight."""
        self.preempted: list[Request] = []
        """Who lost its place when the iteration in flight was formed."""
        self.admitted: list[tuple[Request, int]] = []
        """Who starts in the iteration in flight, with the tokens of its first chunk."""
        self.moved = False
        """Someone joined, started or left since whoever keeps count last looked."""
        self.shape = Shape()
        self.waiting_tokens = 0
        self.waiting_blocks = 0
        self.waiting_preempted = 0
        self.preemptions = 0
        self.seq = 0
        self._enqueued = 0

    # -- the queue ----------------------------------------------------------------------------------------

    def enqueue(self, request: Request) -> bool:
        """Put a request at the end of its order; return whether it is now the head."""
        request.enqueued = self._enqueued
        self._enqueued += 1
        request.lane = self.index
        return self.wait(request)

    def withdraw(self, request: Request) -> None:
        """Take a waiting request out of the queue for good."""
        self.waiting.remove(request)
        self.unwait(request)
        request.state = CANCELLED
        self.refused = False

    def wait(self, request: Request) -> bool:
        """Let a request wait in its place; return whether it is now the head."""
        self.refused = False
        self.moved = True
        request.state = WAITING
        target = request.prompt + request.generated
        self.waiting_tokens += target - request.computed
        self.waiting_blocks += -(-target // self.block_tokens) - request.blocks
        if request.preemptions:
            self.waiting_preempted += 1
        return self.waiting.add(request)

    def unwait(self, request: Request) -> None:
        """A request that was taken out of the queue waits no more."""
        self.moved = True
        target = request.prompt + request.generated
        self.waiting_tokens -= target - request.computed
        self.waiting_blocks -= -(-target // self.block_tokens) - request.blocks
        if request.preemptions:
            self.waiting_preempted -= 1

    # -- reading in the middle of a step ----------------------------------------------------------------------------

    def free_after(self, iterations: int) -> int:
        """Return the free blocks at the boundary after `iterations` >= 0 iterations of the batch in flight."""
        free = self.pool.free
        if iterations > 0:
            free -= self.decodes.blocks_taken(self.it + 1, iterations)
            if self.chunks:
                request, new = self.chunks[0]
                free -= self.pool.blocks_for(request.computed + (iterations + 1) * new) - request.blocks
        return free

    def context_after(self, iterations: int) -> int:
        """Return the tokens in the KV cache at that boundary."""
        tokens = self.decodes.offsets + self.decodes.count * (self.it + iterations)
        for request, new in self.chunks:
            tokens += request.computed + new * iterations
        return tokens

    def generated_after(self, request: Request, iterations: int) -> int:
        """Return the tokens `request`, running here, has generated at that boundary."""
        if request.ends >= 0:
            left = request.ends - self.it - iterations - self.decodes.late
            return request.output - left if left > 0 else request.output
        return request.generated

    def computed_after(self, request: Request, iterations: int) -> int:
        """Return the tokens of `request`, running here, whose KV stands at that boundary."""
        if request.ends >= 0:
            return request.offset + self.it + iterations
        for chunked, new in self.chunks:
            if chunked is request:
                return request.computed + new * iterations
        return request.computed

    def blocks_after(self, request: Request, iterations: int, in_flight: bool) -> int:
        """Return the KV blocks `request`, running here, holds at that boundary.

        An iteration in flight holds the block it writes to.
        """
        if request.ends >= 0:
            return (request.offset + self.it + iterations - (not in_flight)) // self.block_tokens + 1
        for chunked, new in self.chunks:
            if chunked is request:
                return self.pool.blocks_for(request.computed + (iterations + 1) * new)
        return request.blocks

    @property
    def holding(self) -> int:
        """Blocks that requests of this lane hold, at a boundary, after `settle`."""
        return sum(self.blocks_after(r, 0, in_flight=False) for r in self.running)

    def check(self) -> None:
        """Assert that the books of this lane agree with themselves; call it at a boundary, after `settle`."""
        it, decodes = self.it, self.decodes
        decoding = [r for r in self.running if r.ends >= 0]
        assert decodes.count == sum(decodes.phase) == len(decoding)
        assert decodes.offsets == sum(r.offset for r in decoding)
        assert all(r.ends > it for r in decoding), "a request outlived its end"
        assert self.waiting_tokens == sum(r.prompt + r.generated - r.computed for r in self.waiting)
        assert self.waiting_preempted == sum(r.preemptions > 0 for r in self.waiting)
        held = self.holding
        assert self.pool.free + held == self.pool.total, f"{self.pool.free} free + {held} held != {self.pool.total}"
        if self.pool.tables is not None:
            self.pool.tables.check(self.pool.free)
