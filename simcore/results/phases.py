"""Phases: the life of each request as spans of time, told by the decision log of a run.

Every row of the log that is about a request ends what it was doing and begins something else; where it was then, and
for how long, is a phase.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from simcore.contract import decisions as log

Row = tuple[int, ...]
"""(at_ps, instance, kind, request, detail), see `simcore.contract.decisions`."""

NOWHERE = -1
"""The instance of who is on none."""

ENDS = {log.FINISHED: "finished", log.REJECT: "rejected", log.ABORTED: "aborted", log.LOST: "lost"}
"""Kinds that end a request's phase and begin none; a request that was lost may arrive again."""

_BEGINS = {
    log.ARRIVED: "at the router",
    log.DISPATCH: "waiting",
    log.FIRST_TOKEN: "decode",
    log.PREEMPTED: "preempted",
    log.SWAPPED: "swapped",
    log.FETCH: "KV copied in",
    log.JOINED: "decode",
    log.PREFILLED: "prefilled",
    log.PAUSED: "migrating",
    log.MIGRATED: "waiting",
    log.RESUMED: "decode",
    log.OVERWRITTEN: "preempted",
    log.RELOADED: "waiting",
    log.SUBMITTED: "at the router",
    log.SUSPENDED: "paused",
    log.CONTINUED: "at the router",
}
"""What kinds that always mean the same begin."""

_OFF_INSTANCES = (log.ARRIVED, log.SUBMITTED, log.SUSPENDED, log.CONTINUED)
"""Kinds after which a request is on no instance, though they may say which one it left."""


class Phase(NamedTuple):
    """What one request did on one instance. `ended`: what came of it, where that was its last phase."""

    request: int
    name: str
    instance: int
    start_ps: int
    end_ps: int
    ended: str = ""


def phases(rows: Iterable[Row]) -> Iterator[Phase]:
    """Yield the phases of all requests of a run in the order in which they end; those of no length are left out.

    `rows` is a whole decision log, in order. Who has not ended by its last date is "unfinished" there.
    """
    under_way: dict[int, tuple[str, int, int]] = {}
    begun: set[int] = set()
    """Requests with a first token."""
    now = 0
    for at, instance, kind, request, detail in rows:
        now = at
        if kind in ENDS:
            if (phase := under_way.pop(request, None)) is not None:
                yield Phase(request, *phase, at, ENDS[kind])
            if kind != log.LOST:
                begun.discard(request)
            continue
        name = _admitted(request in begun, detail) if kind == log.ADMITTED else _BEGINS.get(kind)
        if name is None:
            continue
        if kind == log.FIRST_TOKEN:
            begun.add(request)
        before = under_way.get(request)
        if before is not None and before[2] < at:
            yield Phase(request, *before, at)
        where = NOWHERE if kind in _OFF_INSTANCES else instance
        under_way[request] = (name, where, at)
    for request, phase in under_way.items():
        yield Phase(request, *phase, now, "unfinished")


def _admitted(begun: bool, tokens: int) -> str:
    """Return what somebody does who joins a batch with so many tokens to compute."""
    if not begun:
        return "prefill"
    return "decode" if tokens <= 1 else "computed again, decode"
