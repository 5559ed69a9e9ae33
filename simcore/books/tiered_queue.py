"""Tiered queue: who waits at a lane whose requests' KV may be elsewhere, and what it keeps count of."""

from collections import Counter
from collections.abc import Callable

from simcore.books.copies import Copy, Kept, Way
from simcore.books.lane import Lane
from simcore.books.request import CANCELLED, PAUSED, SWAPPED, WAITING, Request
from simcore.books.store import HOST, KvStore, Tail


class TieredQueue(Lane):
    """What a tiered lane holds beyond a plain one.

    Args (of `equip`):
        store: the KV of its instance.
        sync: copies to and from the host are part of an iteration.
        swaps: victims are swapped unless somebody says otherwise.
        late: iterations a request stays after its last token (`schedule_ahead`).
        adaptive: a copy in is part of an iteration where little else would run.
    """

    spill: Callable[[Request], Way | None] | None = None
    """What becomes of a victim's KV, if the scheduler says."""

    def equip(self, store: KvStore, *, sync: bool, swaps: bool, late: int, adaptive: bool = False) -> None:
        """Give the lane its store, once it has been made."""
        self.store = store
        self.sync = sync
        self.adaptive = adaptive
        self.keeps = store.host.keep
        """What was swapped out once is found on the host."""
        self.swaps = swaps
        self.decodes.late = late
        self.hands_on = False
        """Requests leave when their prompt is through: this lane only prefills."""
        self.home: TieredQueue | None = None
        """Of a decode lane: the prefill lane beside it, where what lost its KV is computed again; None: here."""
        self.peer: TieredQueue | None = None
        """Of a prefill lane: the decode lane beside it."""
        self.handed: list[Request] = []
        """Whose prompt came through in the iteration just booked."""
        self.outgoing: dict[Request, Kept] = {}
        """Handed on, their KV still here."""
        self.sending: dict[Request, None] = {}
        """Of those, whose KV is being copied."""
        self.arriving: dict[Request, None] = {}
        """Whose KV is being copied in."""
        self.ready: list[Request] = []
        """Whose copy in has ended; they join the next iteration."""
        self.joined: list[Request] = []
        """Who goes on decoding in the iteration in flight, its KV having come."""
        self.notes: list[tuple[int, Request, int]] = []
        """What happened to whom since whoever keeps count last looked: (kind of decision, request, detail)."""
        self.ended: dict[int, Tail] = {}
        """By request: what ended at its last boundary."""
        self.early: list[Request] = []
        """Who ended when it was to be preempted or aborted: it had given its last token."""
        self.copies: list[Copy] = []
        """To be started."""
        self.leaving = 0
        """Blocks whose copy out is under way."""
        self.mail: list[tuple[int, Request]] = []
        """Who joined while an iteration was under way, and at which boundary the lane hears of it."""
        self.closed = False
        """Nobody is admitted to the iteration to be formed: room was made for it, or waited for."""
        self.made_room = False
        """The same of the iteration in flight; the next one looks at the queue again."""
        self.whole_only = False
        """All have just yielded: only whole prompts are admitted, lest they yield again and again."""
        self.counts: Counter[str] = Counter()

    # -- the queue -------------------------------------------------------------------------------------------

    def enqueue(self, request: Request) -> bool:
        """Number a request of this instance, and let it wait."""
        request.enqueued = self.store.enqueued
        self.store.enqueued += 1
        request.lane = self.index
        return self.wait(request)

    def post(self, request: Request, boundary: int) -> None:
        """Let a request wait that the lane hears of at its `boundary`-th boundary only."""
        request.enqueued = self.store.enqueued
        self.store.enqueued += 1
        request.lane = self.index
        self.account(request)
        self.mail.append((boundary, request))

    def wait(self, request: Request) -> bool:
        self.account(request)
        return self.waiting.add(request)

    def account(self, request: Request) -> None:
        """Count a request among those that wait."""
        self.refused = False
        self.moved = True
        held = request.held
        assert held is not None
        request.state = SWAPPED if held.where == HOST else WAITING
        target = request.prompt + request.generated
        self.waiting_tokens += target - request.computed
        self.waiting_blocks += -(-target // self.block_tokens) - request.blocks
        if request.preemptions:
            self.waiting_preempted += 1

    def withdraw(self, request: Request) -> None:
        """Take one that waits, or whose KV is on its way, out for good; the blocks it holds here stay for now."""
        held = request.held
        assert held is not None
        if request.state != PAUSED:  # else its blocks are given back at a boundary, when no copy needs them any more
            letter = next((letter for letter in self.mail if letter[1] is request), None)
            if letter is not None:
                self.mail.remove(letter)
            else:
                self.waiting.remove(request)
            self.unwait(request)
        if not held.copies:
            self.store.host.forget(request)
        request.state = CANCELLED
        self.refused = False
        self.moved = True

    def deliver(self, until: int) -> bool:
        """Put those into the queue whom the lane hears of up to a boundary; return whether there were any."""
        mail = self.mail
        if not mail or mail[0][0] > until:
            return False
        while mail and mail[0][0] <= until:
            self.waiting.add(mail.pop(0)[1])
        self.refused = False
        return True

    def holds_here(self, request: Request) -> bool:
        """Return whether a request that is out of the queue has blocks here that no copy needs."""
        return request.blocks > 0 and request not in self.arriving and request not in self.ready

    def take_over(self, request: Request) -> None:
        """Queue a request that the lane beside this one hands on, or sends home."""
        request.lane = self.index
        self.wait(request)

    # -- reading -------------------------------------------------------------------------------------------------

    def ahead(self, iterations: int) -> int:
        """Return the blocks that so many more iterations of the batch in flight still take."""
        blocks = self.decodes.blocks_taken(self.it + 1, iterations)
        for request, new in self.chunks:
            blocks += self.pool.blocks_for(request.computed + (iterations + 1) * new) - request.blocks
        return blocks

    def context_after(self, iterations: int) -> int:
        """Return the tokens in the KV cache; a partial prefill stands aside while the lane stalls."""
        tokens = super().context_after(iterations)
        return tokens + self.partial.computed if self.partial is not None and not self.chunks else tokens

    # -- the books agree ---------------------------------------------------------------------------------------------

    @property
    def holding(self) -> int:
        """Blocks that requests of this lane hold, or copies of theirs, shared ones counted by each."""
        held = sum(self.blocks_after(r, 0, in_flight=False) for r in self.running)
        held += sum(r.blocks for requests in (self.waiting, self.arriving, self.ready) for r in requests)
        return held + self.leaving + sum(kept.blocks for kept in self.outgoing.values())

    def check(self) -> None:
        """Assert that the books of this lane agree with themselves; the instance adds its lanes up."""
        decodes = self.decodes
        decoding = [r for r in self.running if r.ends >= 0]
        waiting = [*self.waiting, *(request for _, request in self.mail)]
        assert decodes.count == sum(decodes.phase) == len(decoding)
        assert self.waiting_tokens == sum(r.prompt + r.generated - r.computed for r in waiting)
        assert self.waiting_preempted == sum(r.preemptions > 0 for r in waiting)
