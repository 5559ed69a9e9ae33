"""Outage: a lane loses all it holds, or what it was about to copy; who was on it, and where they stand then.

The books are those of the last boundary. Blocks are not given back one by one: pool and store are cleared as a whole.
"""

from simcore.books.lane import Lane
from simcore.books.request import CANCELLED, FINISHED, NEVER, PAUSED, UNROUTED, Request
from simcore.books.store import NOWHERE
from simcore.books.tiered import TieredLane


def take_all(lane: Lane, boundary_ps: int) -> tuple[list[Request], list[Request]]:
    """Take all requests out of `lane`, whose last boundary was at `boundary_ps`; return (lost, finished).

    Finished are those that had given their last token. The others stand in order: running ones as they were admitted,
    waiting ones as they queued, then paused ones by id.
    """
    lost: list[Request] = []
    finished: list[Request] = []
    if isinstance(lane, TieredLane):
        finished += lane.early
        paused = dict.fromkeys([*lane.arriving, *lane.ready, *lane.outgoing, *lane.handed, *lane.moving])
        here = sorted((r for r in paused if r.state == PAUSED and r.lane == lane.index), key=lambda r: r.id)
    else:
        here = []
    for request in list(lane.running):
        lane._stop(request, boundary_ps)
        (finished if request.generated == request.output else lost).append(request)
    letters = [request for _, request in lane.mail] if isinstance(lane, TieredLane) else []
    lost += lane.waiting.among(letters)
    while lane.waiting:
        lane.waiting.take()
    for request in finished:
        request.state = FINISHED
    _forget(lane)
    return lost + here, finished


def _forget(lane: Lane) -> None:
    lane.waiting_tokens = lane.waiting_blocks = lane.waiting_preempted = 0
    lane.decodes.ends.clear()  # an entry would count again if its request came back with the same numbers
    lane.chunks = []
    lane.partial = None
    lane.preempted.clear()
    lane.admitted.clear()
    lane.refused = False
    lane.moved = True
    if isinstance(lane, TieredLane):
        for gone in (
            lane.early,
            lane.arriving,
            lane.ready,
            lane.outgoing,
            lane.sending,
            lane.handed,
            lane.mail,
            lane.copies,
            lane.moving,
            lane.incoming,
        ):
            gone.clear()
        lane.notes.clear()
        lane.ended.clear()
        lane.joined.clear()
        lane.leaving = 0
        lane.closed = lane.made_room = False


def without_kv(request: Request) -> None:
    """Let a request stand as if it had never run, but for the tokens it gave. For one that is on no lane."""
    request.computed = request.blocks = 0
    request.ends = NEVER
    request.state = UNROUTED
    request.lane = None
    held = request.held
    if held is not None:
        held.where = NOWHERE
        held.chain = held.source = None
        held.host_blocks = held.copies = 0


def lose_source(lane: TieredLane, request: Request) -> None:
    """The KV that a request in the queue of `lane` was to be handed is gone: it waits to be computed."""
    assert request.held is not None
    lane.waiting_tokens += request.computed
    request.computed = 0
    request.held.where = NOWHERE
    request.held.source = None
    lane.refused = False
    lane.moved = True


def lose_fetch(lane: TieredLane, request: Request) -> None:
    """The KV of a request will not come: it gives back what was reserved, and waits in its place to be computed."""
    held = request.held
    assert held is not None
    del lane.arriving[request]
    lane.store.reserved -= request.blocks
    # Only what the cache held is there, not what was to be copied.
    request.computed = 0 if held.chain is None else held.chain.blocks * lane.block_tokens
    lane.store.release(request)
    request.computed = 0
    held.where = NOWHERE
    held.source = None
    held.copies = 0
    lane.refused = False
    if request.state != CANCELLED:
        lane.wait(request)
