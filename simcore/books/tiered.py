"""Tiered lane: a lane whose requests' KV may be cached, on the host, or on another instance.

The rules are on the page docs/mechanisms.md. What waits in the queue is admitted by where its KV is: nowhere (it
is computed, behind what the prefix cache has), here (the other lane of the instance computed it), on the host (it was
swapped out) or on another instance (handed on). Copies are only asked for here; whoever drives the lane makes them.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from simcore.books.lane import Lane
from simcore.books.prefix_cache import Chain
from simcore.books.request import CANCELLED, FINISHED, NEVER, PAUSED, RUNNING, SWAPPED, WAITING, Request
from simcore.books.store import HERE, HOST, NOWHERE, REMOTE, Held, KvStore, Tail
from simcore.contract import IllegalAction
from simcore.contract import decisions as log

Way = Literal["drop", "swap"]


class Kept(NamedTuple):
    """Blocks that stay until a copy of them has ended: the cached ones among them, how many, and of how many tokens."""

    chain: Chain | None
    blocks: int
    computed: int


class Copy:
    """A copy to make, of `blocks` blocks of `request`: "out" to the host, "in" from it, or a "fetch" from `source`."""

    __slots__ = ("blocks", "kept", "kind", "request", "source")

    def __init__(
        self, kind: Literal["out", "in", "fetch"], request: Request, blocks: int, source: object = None
    ) -> None:
        self.kind = kind
        self.request = request
        self.blocks = blocks
        self.source = source
        self.kept: Kept | None = None
        """What a copy out holds until it has ended."""


class Stalled(Exception):
    """An iteration does not fit until copies out have ended; carries the partial prefill it was to go on with."""


class TieredLane(Lane):
    """Forms iterations over a store.

    Args (of `equip`):
        store: the KV of its instance.
        sync: copies to and from the host are part of an iteration.
        swaps: victims are swapped unless somebody says otherwise.
        late: iterations a request stays after its last token (`schedule_ahead`).
    """

    spill: Callable[[Request], Way | None] | None = None
    """What becomes of a victim's KV, if the scheduler says."""

    def equip(self, store: KvStore, *, sync: bool, swaps: bool, late: int) -> None:
        """Give the lane its store, once it has been made."""
        self.store = store
        self.sync = sync
        self.swaps = swaps
        self.decodes.late = late
        self.hands_on = False
        """Requests leave when their prompt is through: this lane only prefills."""
        self.home: TieredLane | None = None
        """Of a decode lane: the prefill lane beside it, where what lost its KV is computed again; None: here."""
        self.peer: TieredLane | None = None
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
        self.barred = False
        """Room was made for the iteration to be formed, or waited for: nobody is admitted."""
        self.hurried = False
        """Nobody was admitted to the iteration in flight: the next one looks at the queue again."""
        self.cautious = False
        """All have just yielded: nobody starts whose whole prompt does not fit, lest it yields again and again."""
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
            self.store.host_free += held.host_blocks
            held.host_blocks = 0
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

    # -- the next iteration ------------------------------------------------------------------------------------

    def schedule(self, now: int) -> bool:
        """Form the next iteration, as a plain lane does, once those whose KV has come have joined it.

        Raises Stalled if it has to wait for copies out.
        """
        for request in self.ready:
            if request.state == CANCELLED:
                self.store.release(request)
            else:
                self._join(request)
        self.ready.clear()
        formed = super().schedule(now)
        self.hurried, self.barred = self.barred, False
        self.cautious = False
        return formed

    def _make_room(self, partial: Request | None, now: int) -> tuple[Request | None, int, int, int]:
        pool, decodes = self.pool, self.decodes
        while True:
            need = decodes.phase[(self.it) % self.block_tokens]
            chunk = blocks = 0
            if partial is not None:
                chunk = min(partial.prompt + partial.generated - partial.computed, self.budget - decodes.count)
                blocks = pool.blocks_for(partial.computed + chunk) - partial.blocks
            if need + blocks <= pool.free:
                return partial, need, chunk, blocks
            self.barred = True
            if need + blocks <= pool.free + self.leaving:
                self.partial = partial
                raise Stalled
            victim = self.victim() if self.victim is not None else None
            if victim is None:
                victim = next(reversed(self.running))
            self.preempt(victim, now)
            if victim is partial:
                partial = None

    def _admit_in_order(self, budget: int, now: int) -> None:
        self._admit(budget, now)

    def _admit_asking(self, budget: int, now: int) -> None:
        self._admit(budget, now)

    def _admit(self, budget: int, now: int) -> None:
        if self.barred:
            return
        refused = False
        for request in self._heads() if self.admit is None else list(self.waiting):
            if budget <= 0 or len(self.running) + len(self.arriving) >= self.max_seqs:
                return
            cost = self._cost(request, budget)
            if cost is None:
                break
            if self.admit is not None:
                answer = self.admit(request)
                if answer in ("no", "hold"):
                    refused = True
                    if answer == "hold":
                        break
                    continue
                if answer != "yes":
                    raise IllegalAction(f"admit: must answer 'yes', 'no' or 'hold', got {answer!r}")
            self.waiting.remove(request)
            budget -= cost
            self._take(request, cost, now)
        self.refused = refused

    def fits_next(self) -> bool:
        """Return whether the head of the queue fits; True if nothing waits."""
        return not self.waiting or self._cost(self.waiting.head(), 1) is not None

    def _heads(self) -> Iterator[Request]:
        while self.waiting:
            yield self.waiting.head()

    def _cost(self, request: Request, budget: int) -> int | None:
        """Return how many tokens of the budget a request takes if it starts now; None: it does not fit."""
        held, store, free = request.held, self.store, self.pool.free
        assert held is not None
        if held.where == HERE:
            return 1 if self.pool.blocks_for(request.computed + 1) - request.blocks <= free else None
        if held.where != NOWHERE:
            if held.copies:
                return None  # its copy out is still under way
            cached, idle = store.match(held.content, request.computed // self.block_tokens)
            fits = self.pool.blocks_for(request.computed + 1) - cached + idle <= free
            return (1 if held.where == HOST and self.sync else 0) if fits else None
        target = request.prompt + request.generated
        hits = store.hits(request)
        new = min(target - hits, budget)
        whole = self.reserve_full_prompt or self.cautious
        return new if store.need(held.content, target if whole else hits + new) <= free else None

    def _take(self, request: Request, cost: int, now: int) -> None:
        """Start a request that fits."""
        held = request.held
        assert held is not None
        self.unwait(request)
        if held.where == NOWHERE:
            self._compute(request, cost, now)
        elif held.where == HERE:
            more = self.pool.blocks_for(request.computed + 1) - request.blocks
            self.pool.free -= more
            if self.pool.tables is not None:
                self.pool.tables.decode((), 0, 0, more)
            self._decode_now(request)
        else:
            self._fetch(request)
        if request.client is not None and request.client.program >= 0 and request.client.program in self.store.pins:
            self.store.unpin(request.client.program)
            self.notes.append((log.UNPINNED, request, 2))

    def _compute(self, request: Request, new: int, now: int) -> None:
        held, store = request.held, self.store
        assert held is not None
        hits, target = store.hits(request), request.prompt + request.generated
        if held.cached < 0:
            held.cached = hits
            if store.cache is not None:
                self.counts["prefix_hit_tokens"] += hits
                self.counts["prefix_query_tokens"] += target
        request.computed = hits
        self._grow(request, hits + new)
        self._run(request)
        if request.scheduled_ps == NEVER:
            request.scheduled_ps = now
        self.chunks.append((request, new))
        self.notes.append((log.ADMITTED, request, new))
        self.shape.chunks.append((new, hits))
        if hits + new < target:
            self.partial = request

    def _fetch(self, request: Request) -> None:
        """Reserve the blocks of a request whose KV is elsewhere, and ask for the copy."""
        held, store = request.held, self.store
        assert held is not None
        from_host = held.where == HOST
        at_once = from_host and self.sync
        cached = store.reserve(request, request.computed + at_once)
        blocks = self.pool.blocks_for(request.computed) - cached
        self.copies.append(Copy("in" if from_host else "fetch", request, blocks, held.source))
        self.notes.append((log.FETCH, request, blocks))
        self.counts["swap_ins" if from_host else "handoffs"] += 1
        self.counts["swapped_blocks" if from_host else "handoff_blocks"] += blocks
        if at_once:
            store.host_free += held.host_blocks
            held.host_blocks = 0
            self._decode_now(request)
            return
        held.copies += 1
        request.state = PAUSED
        self.arriving[request] = None
        store.reserved += request.blocks
        if isinstance(held.source, TieredLane):
            held.source.send(request)

    def _run(self, request: Request) -> None:
        self.seq += 1
        request.seq = self.seq
        request.state = RUNNING
        self.running[request] = None

    def _join(self, request: Request) -> None:
        """Go on decoding, from the iteration being formed."""
        held = request.held
        assert held is not None
        held.where = NOWHERE
        self.moved = True
        self._run(request)
        self.decodes.add(request, self.it)
        self.joined.append(request)
        self.notes.append((log.JOINED, request, request.computed))
        if request.spans is not None:
            request.spans.append((self.index, self.it + 1, self.it))

    def _decode_now(self, request: Request) -> None:
        """The same, when the blocks of the others have been handed out already."""
        self._join(request)
        self.shape.decodes += 1
        self.shape.context += request.computed + 1

    # -- what ended ----------------------------------------------------------------------------------------------

    def settle(self, k: int, now: int, firsts: list[Request] | None, gaps: list[int]) -> list[Request]:
        """Book what ended; who goes on after a pause has waited for its token since its last one."""
        gaps.extend(now - request.last_ps for request in self.joined)
        self.joined.clear()
        return super().settle(k, now, firsts, gaps)

    def decode_on(self, request: Request, now: int) -> None:
        if not self.hands_on or request.generated == request.output:
            super().decode_on(request, now)
            return
        held = request.held
        assert held is not None
        del self.running[request]
        if self.home is None and self.peer is None:
            held.where = REMOTE
            held.source = self
            self.outgoing[request] = Kept(held.chain, request.blocks, request.computed)
            held.chain = None
            request.blocks = 0
        else:
            held.where = HERE
        self.moved = True
        self.refused = False
        request.state = PAUSED
        request.last_ps = now
        self.handed.append(request)

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

    # -- leaving the batch at a boundary ------------------------------------------------------------------------------

    def preempt(self, request: Request, now: int, way: Way | None = None) -> None:
        """Take a running request out and put it back in the queue; its KV is dropped, or goes to the host."""
        decoding = request.ends >= 0
        if self.generated_after(request, 0) == request.output:
            self._end_early(request, now)
            return
        if way is None and self.spill is not None and decoding:
            way = self.spill(request)
        if way is None and self.swaps:
            way = "swap"
        self._stop(request, now)
        request.preemptions += 1
        self.preemptions += 1
        if way == "swap" and decoding and self._swap_out(request):
            self.notes.append((log.SWAPPED, request, request.generated))
            self.wait(request)
        else:
            self._send_home(request)

    def drop_last_waiting(self) -> bool:
        """Let the last in the queue that holds blocks lose them, to be computed again; return whether there was one."""
        request = next((r for r in reversed(list(self.waiting)) if r.held is not None and r.held.where == HERE), None)
        if request is None:
            return False
        self.waiting.remove(request)
        self.unwait(request)
        request.preemptions += 1
        self.preemptions += 1
        self._send_home(request)
        return True

    def _send_home(self, request: Request) -> None:
        """Drop the KV of a request, and let it wait where it can be computed again."""
        held = request.held
        assert held is not None
        self.store.release(request)
        request.computed = 0
        held.where = NOWHERE
        self.notes.append((log.PREEMPTED, request, request.generated))
        if self.home is None:
            self.wait(request)
        else:
            self.home.take_over(request)

    def take_over(self, request: Request) -> None:
        """Queue a request that the lane beside this one hands on, or sends home."""
        request.lane = self.index
        self.wait(request)

    def _swap_out(self, request: Request) -> bool:
        held, store = request.held, self.store
        assert held is not None
        blocks = self.pool.blocks_for(request.computed)
        if blocks > store.host_free:
            return False
        store.host_free -= blocks
        held.host_blocks = blocks
        held.where = HOST
        self.counts["swap_outs"] += 1
        self.counts["swapped_blocks"] += blocks
        copy = Copy("out", request, blocks)
        self.copies.append(copy)
        if self.sync:
            store.release(request)
        else:
            held.copies += 1
            store.show(request)
            copy.kept = Kept(held.chain, request.blocks, request.computed)
            self.leaving += request.blocks
            store.reserved += request.blocks
            held.chain = None
            request.blocks = 0
        return True

    def abort(self, request: Request, now: int) -> None:
        """Take a running request out, for good: cancelled, or finished if it has given its last token."""
        if self.generated_after(request, 0) == request.output:
            self._end_early(request, now)
        else:
            super().abort(request, now)

    def _end_early(self, request: Request, now: int) -> None:
        self._stop(request, now)
        self.ended[request.id] = self.store.note_end(request)
        self.store.release(request)
        request.state = FINISHED
        self.early.append(request)
        self.notes.append((log.FINISHED, request, request.generated))

    def _leave(self, request: Request, now: int) -> None:
        self._stop(request, now)
        self.store.release(request)
        request.computed = 0

    def _stop(self, request: Request, now: int) -> None:
        last_ps = request.last_ps
        super()._stop(request, now)
        if request in self.joined:
            request.last_ps = last_ps  # it gave no token since it joined
            self.joined.remove(request)

    # -- copies have ended; booked at a boundary ---------------------------------------------------------------------

    def copied_out(self, copy: Copy) -> None:
        """The KV of a request is on the host."""
        held, store = copy.request.held, self.store
        assert held is not None
        assert copy.kept is not None
        self.leaving -= copy.kept.blocks
        store.reserved -= copy.kept.blocks
        store.give_back(*copy.kept)
        self.refused = False
        if copy.request.state != SWAPPED:  # it is gone
            store.host_free += held.host_blocks
            held.host_blocks = 0

    def copied_in(self, request: Request) -> bool:
        """The KV of a request is here; return whether nobody wants it any more."""
        held, store = request.held, self.store
        assert held is not None
        del self.arriving[request]
        store.reserved -= request.blocks
        store.host_free += held.host_blocks
        held.host_blocks = 0
        held.source = None
        self.refused = False
        self.ready.append(request)
        return request.state == CANCELLED

    def fetched_from(self, request: Request) -> None:
        """Another instance has copied the KV of a request that was handed on."""
        kept = self.outgoing.pop(request, None)
        if kept is not None:
            self.store.give_back(*kept)
            if request in self.sending:
                del self.sending[request]
                self.store.reserved -= kept.blocks
        self.refused = False

    def send(self, request: Request) -> None:
        """Another instance copies the KV of a request that was handed on."""
        self.sending[request] = None
        self.store.reserved += self.outgoing[request].blocks

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


def content_of(request: Request, head: tuple[tuple[int, int], ...], stream: int) -> Held:
    """Return where a new request's KV is: nowhere; its content is a head, then a stream of its own or a program's."""
    own = -2 * stream - 2 if stream >= 0 else -2 * request.id - 1
    return Held((*head, (own, 1 << 62)))
