"""Tiered lane: a lane whose requests' KV may be cached, on the host, or on another instance.

The rules are on the page docs/mechanisms.md. What waits in the queue is admitted by where its KV is: nowhere (it
is computed, behind what the prefix cache has), here (the other lane of the instance computed it), on the host (it was
swapped out) or on another instance (handed on). Copies are only asked for here; whoever drives the lane makes them.
"""

from collections.abc import Iterable, Iterator

from simcore.books.copies import Copy
from simcore.books.priority_trace import conversation_of
from simcore.books.request import CANCELLED, Request
from simcore.books.store import HERE, HOST, NOWHERE
from simcore.books.tiered_prefix import TieredPrefix, decodes
from simcore.contract import decisions as log


class Stalled(Exception):
    """An iteration does not fit until copies out have ended."""


class TieredLane(TieredPrefix):
    """Forms iterations over a store: who joins with its KV, who has to yield, who is admitted."""

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
        self.made_room, self.closed = self.closed, False
        return formed

    def _run_short(self, blocks: int, partial: Request | None) -> None:
        self.closed = True
        if blocks <= self.pool.free + self.leaving:
            self.partial = partial
            raise Stalled

    def _admit_in_order(self, budget: int, now: int) -> None:
        self._admit_asking(budget, now)

    def _admit_asking(self, budget: int, now: int) -> None:
        if not self.closed:
            super()._admit_asking(budget, now)

    def _candidates(self) -> Iterable[Request]:
        return self._heads() if self.admit is None else super()._candidates()

    def _heads(self) -> Iterator[Request]:
        while self.waiting:
            yield self.waiting.head()

    def _seats(self) -> int:
        return super()._seats() - len(self.arriving)

    def fits_next(self) -> bool:
        """Return whether the head of the queue fits; True if nothing waits."""
        return not self.waiting or self._cost(self.waiting.head(), 1) is not None

    def _cost(self, request: Request, budget: int) -> int | None:
        held, store, free = request.held, self.store, self.pool.free
        assert held is not None
        if held.where == HERE:
            if not decodes(request):
                return self._rest(request, budget)
            return 1 if self.pool.blocks_for(request.computed + 1) - request.blocks <= free else None
        if held.where != NOWHERE:
            if held.copies:
                return None  # its copy out is still under way
            cached, idle = store.match(held.content, request.computed // self.block_tokens)
            fits = self.pool.blocks_for(request.computed + 1) - cached + idle <= free
            return (1 if held.where == HOST and self.waits_for_copy else 0) if fits else None
        target = request.prompt + request.generated
        copied = store.host.prefix(request) if self.keeps else 0
        hits = copied or store.hits(request)
        new = min(target - hits, budget)
        whole = self.reserve_full_prompt or self.whole_only
        fits = store.need(held.content, target if whole else hits + new) <= free
        return (0 if copied and not self.waits_for_copy else new) if fits else None

    def _start(self, request: Request, new: int, now: int) -> None:
        held = request.held
        assert held is not None
        self.unwait(request)
        if held.where == NOWHERE:
            copied = self.store.host.prefix(request) if self.keeps else 0
            if copied:
                self._use_copy(request, copied, new, now)
            else:
                self._compute(request, new, now)
        elif held.where == HERE and not decodes(request):
            held.where = NOWHERE
            self._grow(request, request.computed + new)
            self._prefill(request, new, now)
        elif held.where == HERE:
            more = self.pool.blocks_for(request.computed + 1) - request.blocks
            self.pool.free -= more
            if self.pool.tables is not None:
                self.pool.tables.extend(request, more)
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
            if store.cached:
                self.counts["prefix_hit_tokens"] += hits
                self.counts["prefix_query_tokens"] += target
        request.computed = hits
        self._grow(request, hits + new)
        self._prefill(request, new, now)

    def _fetch(self, request: Request) -> None:
        """Reserve the blocks of a request whose KV is elsewhere, and ask for the copy."""
        held, store = request.held, self.store
        assert held is not None
        from_host = held.where == HOST
        at_once = from_host and self.waits_for_copy
        cached = store.reserve(request, request.computed + at_once)
        blocks = self.pool.blocks_for(request.computed) - cached
        copy = Copy("in" if from_host else "fetch", request, blocks, held.source)
        copy.ids = store.ids(request)[cached : cached + blocks]
        copy.at_once = at_once
        self.copies.append(copy)
        self.notes.append((log.FETCH, request, blocks))
        self.counts["swap_ins" if from_host else "handoffs"] += 1
        self.counts["swapped_blocks" if from_host else "handoff_blocks"] += blocks
        if from_host:
            copy.host_ids = store.host.ids_of(request, cached, cached + blocks)
            self.counts["swap_in_blocks"] += blocks
            store.host.use(request)
        if at_once:
            store.host.release(request)
            self._decode_now(request)
            return
        self._await(request)
        if isinstance(held.source, TieredLane):
            held.source.send(request)

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
        finished = super().settle(k, now, firsts, gaps)
        if self.keeps:
            for request in finished:
                if conversation_of(request) < 0:
                    self.store.host.forget(request)
        return finished
