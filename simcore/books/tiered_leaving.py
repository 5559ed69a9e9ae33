"""Tiered leaving: how requests leave the batch of a tiered lane, and what is booked when copies have ended."""

from simcore.books.copies import Copy, Kept, Way
from simcore.books.request import CANCELLED, FINISHED, PAUSED, SWAPPED, WAITING, Request
from simcore.books.store import HERE, HOST, NOWHERE, REMOTE
from simcore.books.tiered_queue import TieredQueue
from simcore.contract import decisions as log


class TieredLeaving(TieredQueue):
    """What happens to the KV of those who leave: it is dropped, handed on, or copied to the host."""

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

    # -- leaving the batch at a boundary ------------------------------------------------------------------------------

    def preempt(self, request: Request, now: int, way: Way | None = None) -> None:
        """Take a running request out and put it back in the queue; its KV is dropped, or goes to the host."""
        target = request.prompt + request.generated
        decoding = request.ends >= 0 or (request.generated > 0 and request.computed == target - 1)
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

    def _swap_out(self, request: Request) -> bool:
        held, store = request.held, self.store
        assert held is not None
        valid = store.host.write(request)
        if valid is None:
            return False
        for other in store.host.overwritten:
            self._lose_copy(other)
        store.host.overwritten.clear()
        held.where = HOST
        blocks = held.host_blocks - valid
        self.counts["swap_outs"] += 1
        self.counts["swapped_blocks"] += blocks
        self.counts["swap_out_blocks"] += blocks
        if self.keeps:
            self.counts["reused_host_blocks"] += valid
        copy = Copy("out", request, blocks)
        copy.ids = store.ids(request)[valid : held.host_blocks]
        copy.host_ids = store.host.ids_of(request, valid, held.host_blocks)
        copy.at_once = self.sync
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

    def _lose_copy(self, request: Request) -> None:
        """The KV of a swapped request was overwritten on the host: it waits to be computed again."""
        held = request.held
        assert held is not None
        self.waiting_tokens += request.computed
        request.computed = 0
        request.state = WAITING
        held.where = NOWHERE
        self.notes.append((log.OVERWRITTEN, request, self.store.host.valid(request) // self.block_tokens))

    def abort(self, request: Request, now: int) -> None:
        """Take a running request out, for good: cancelled, or finished if it has given its last token."""
        if self.generated_after(request, 0) == request.output:
            self._end_early(request, now)
        else:
            super().abort(request, now)
            if self.keeps:
                self.store.host.forget(request)

    def _end_early(self, request: Request, now: int) -> None:
        self._stop(request, now)
        self.store.note_end(request, self.ended)
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
        if copy.request.state not in (SWAPPED, WAITING):  # it is gone
            store.host.forget(copy.request)

    def copied_in(self, request: Request) -> bool:
        """The KV of a request is here; return whether nobody wants it any more."""
        held, store = request.held, self.store
        assert held is not None
        del self.arriving[request]
        store.reserved -= request.blocks
        held.source = None
        self.refused = False
        if request.state == CANCELLED:
            store.host.forget(request)
        else:
            store.host.release(request)
        if held.where == HERE and request.state != CANCELLED:  # what came is the beginning of its prompt
            self.wait(request)
            return False
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
