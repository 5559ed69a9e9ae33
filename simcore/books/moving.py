"""Moving: requests on their way from one lane to another with their KV: what stays, what is reserved, who joins.

The rules are on the page docs/mechanisms.md. A request that is copied while it runs is an ordinary running one; only
from its pause on is it neither in a batch nor in a queue. Copies, and when all this happens, are somebody else's.
"""

from typing import TYPE_CHECKING

from simcore.books.copies import Copy, Kept
from simcore.books.request import NEVER, PAUSED, RUNNING, WAITING, Request
from simcore.books.store import NOWHERE, KvStore

if TYPE_CHECKING:
    from simcore.books.tiered import TieredLane
    from simcore.books.tiered_queue import TieredQueue


class Inbound:
    """Blocks reserved for a request that is to come.

    Args:
        store: of the instance it is to come to.
        request: who.
    """

    __slots__ = ("_store", "blocks", "chain", "request")

    def __init__(self, store: KvStore, request: Request) -> None:
        assert request.held is not None
        self._store = store
        self.request = request
        self.chain = None if store.cache is None else store.cache.open(request.held.content)
        self.blocks = 0

    def grow(self, blocks: int) -> bool:
        """Reserve blocks until they are so many; return False, with nothing changed, if too few are free."""
        store, more = self._store, max(0, blocks - self.blocks)
        if more > store.pool.free:
            return False
        if store.cache is not None:
            store.cache.take(more, self.chain)
        store.pool.free -= more
        store.reserved += more
        self.blocks += more
        return True

    def take(self, blocks: int) -> None:
        """Make the first `blocks` blocks the request's own, and give the others back."""
        store, held, extra = self._store, self.request.held, self.blocks - blocks
        assert held is not None
        if store.cache is not None:
            store.cache.give(extra, self.chain)
        store.pool.free += extra
        store.reserved -= self.blocks
        held.chain = self.chain
        self.request.blocks = blocks
        self.blocks = 0

    def give_back(self) -> None:
        """Reserve nothing any more."""
        self._store.reserved -= self.blocks
        self._store.give_back(self.chain, self.blocks, 0)
        self.blocks = 0


class Stage(Copy):
    """A copy of blocks of a request to the blocks that are reserved for it, `sent` of which have been sent before."""

    __slots__ = ("theirs",)

    def __init__(self, request: Request, source: "TieredLane", inbound: Inbound, sent: int, blocks: int) -> None:
        super().__init__("stage", request, blocks, source)
        self.theirs = source.store.ids(request)[sent : sent + blocks]
        """The blocks at the source; if they have ids."""
        self.ids = getattr(inbound.chain, "ids", [])[sent : sent + blocks]


# -- at a boundary of the source --------------------------------------------------------------------------------------


def movable(request: Request) -> bool:
    """Return whether a request decodes, or waits without KV anywhere."""
    held = request.held
    assert held is not None
    return request.ends != NEVER if request.state == RUNNING else request.state == WAITING and held.where == NOWHERE


def mark_pause(request: Request, now: int) -> None:
    """Note when a request stops giving tokens."""
    assert request.held is not None
    request.held.paused_ps = now


def take_out(lane: "TieredLane", request: Request, now: int) -> None:
    """Take a request that waits, or decodes, off its lane, without any KV."""
    lane.decodes.forget(request)
    if request.state == RUNNING:
        lane._stop(request, now)
        lane.store.release(request)
        request.computed = 0
    else:
        lane.waiting.remove(request)
        lane.unwait(request)
        lane.refused = False


def pause(lane: "TieredLane", request: Request, now: int) -> None:
    """Take a decode out of the batch; its blocks stay."""
    mark_pause(request, now)
    lane.decodes.forget(request)
    lane._stop(request, now)
    held = request.held
    assert held is not None
    request.state = PAUSED
    lane.moving[request] = Kept(held.chain, request.blocks, request.computed)
    lane.store.reserved += request.blocks


def resume(lane: "TieredLane", request: Request) -> bool:
    """Let a paused request go on in its old place, if it was not stopped meanwhile; return whether it does."""
    if request.state != PAUSED:
        return False
    del lane.moving[request]
    lane.store.reserved -= request.blocks
    request.state = RUNNING
    in_order = sorted([*lane.running, request], key=lambda other: other.seq)
    lane.running.clear()
    lane.running.update(dict.fromkeys(in_order))
    lane.go_on(request)
    return True


def give_back(lane: "TieredQueue", request: Request) -> None:
    """Free the blocks of a request that goes on elsewhere, or was stopped for good."""
    kept = lane.moving.pop(request)
    lane.store.reserved -= kept.blocks
    lane.store.give_back(*kept)
    lane.refused = False


# -- at a boundary of the destination ---------------------------------------------------------------------------------


def forget(lane: "TieredLane", inbound: Inbound) -> None:
    """The request does not come."""
    if lane.incoming.pop(inbound.request, None) is not None:
        inbound.give_back()
        lane.refused = False


def arrive(lane: "TieredLane", inbound: Inbound) -> None:
    """All KV of a paused request is here: it joins the next iteration."""
    request = inbound.request
    assert request.state == PAUSED
    del lane.incoming[request]
    inbound.take(lane.pool.blocks_for(request.computed))
    request.lane = lane.index
    request.enqueued = lane.store.enqueued
    lane.store.enqueued += 1
    lane.ready.append(request)
    lane.refused = False
    lane.moved = True


def seats_taken(lane: "TieredQueue") -> int:
    """Return how many are to come, or may come back, beside those that run or are being copied in."""
    return len(lane.incoming) + sum(r.lane == lane.index and r.state == PAUSED for r in lane.moving)


def seats_left(lane: "TieredLane") -> int:
    """Return how many more may come at a boundary where the next iteration is not formed yet."""
    return lane._seats() - sum(request.state == PAUSED for request in lane.ready)
