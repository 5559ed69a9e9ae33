"""Plain host tier: host blocks as a second pool with a cache, block by block."""

from dataclasses import dataclass, field
from typing import Any

from simcore.contract import decisions as log
from tests.property.cluster.blocks import Block, Pool
from tests.property.cluster.copies import Copy
from tests.property.cluster.groups import Blocks
from tests.property.cluster.requests import PAUSED, PlainRequest


@dataclass(eq=False)
class Stored:
    """Host blocks of the beginning of a request, some of them on their way."""

    request: PlainRequest
    held: list[Block]

    def chain(self, index: int, size: int, names: dict[Any, int]) -> int:
        return self.request.chain(index, size, names)


@dataclass(eq=False)
class TierCopy(Copy):
    """A copy between the tier and the instance."""

    stored: Stored = field(kw_only=True)

    def end(self) -> None:
        self.over = True
        self.request.copies.remove(self)
        self.lane.ask(self.booked)

    def booked(self) -> None:
        """The first boundary after its end."""
        lane, request = self.lane, self.request
        pool, host = lane.instance.pool, lane.instance.tier
        if self.kind == "offload":
            lane.outgoing.remove(self)
            lane.give(self.held)
            host.fill(self.stored, len(self.stored.held) * host.size)
            host.release(self.stored.held)
            return
        del lane.copying[request]
        host.release(self.stored.held)
        pool.fill(request, request.computed)
        lane.give(request.held)
        if request.id in lane.cluster.live:
            lane.cluster.write(lane.instance.id, log.RELOADED, request.id, request.computed)
        request.computed = 0
        if request.id in lane.cluster.live:
            request.state = "waiting"
            lane.wait(request)


def offload(lane: Any, request: PlainRequest) -> None:
    """It has finished: the host takes what it lacks of it, all or nothing."""
    instance = lane.instance
    pool: Pool = instance.pool
    host: Pool = instance.tier
    tail = pool.beginning(request, request.computed // pool.size)
    stored = Stored(request, host.beginning(request, len(tail)))
    for block in stored.held:
        host.hold(block)
    missing = len(tail) - len(stored.held)
    if not missing or missing > host.free:
        host.release(stored.held)
        return
    stored.held += [host.take() for _ in range(missing)]
    for block in tail:
        pool.hold(block)
    copy = TierCopy("offload", request, lane, missing, held=Blocks(tail), stored=stored)
    request.copies.append(copy)
    lane.outgoing.append(copy)
    lane.starting.append(copy)
    lane.cluster.counters["offloaded_blocks"] += missing


def on_host(instance: Any, request: PlainRequest, hits: list[Block]) -> list[Block]:
    """The host's blocks of its beginning, if they are more than the cache here has."""
    if instance.tier is None or request.ready:
        return []
    there: list[Block] = instance.tier.hits(request)
    return there if len(there) > len(hits) else []


def reload(lane: Any, request: PlainRequest, there: list[Block]) -> None:
    """It leaves the queue, and what the host has is copied here."""
    instance = lane.instance
    pool, host = instance.pool, instance.tier
    request.computed = len(there) * pool.size
    request.held = pool.beginning(request, len(there))
    here = len(request.held)
    for block in request.held:
        pool.hold(block)
    pool.grow(request, request.computed)
    for block in there:
        host.hold(block)
    copy = TierCopy("reload", request, lane, len(there) - here, stored=Stored(request, list(there)))
    request.copies.append(copy)
    request.state = PAUSED
    lane.copying[request] = copy
    lane.starting.append(copy)
    lane.note(log.FETCH, request, copy.count)
    lane.cluster.counters["reloaded_blocks"] += copy.count
