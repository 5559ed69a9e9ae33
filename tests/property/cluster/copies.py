"""Plain copies of KV: who is copied where, what waits for it, and what becomes of it."""

from dataclasses import dataclass, field
from typing import Any

from tests.property.cluster.blocks import Block
from tests.property.cluster.groups import Blocks, pieces
from tests.property.cluster.requests import PlainRequest


@dataclass(eq=False)
class Kept:
    """Blocks of a request that was handed on, in place until its copy has ended."""

    lane: Any
    blocks: list[Block]
    copying: bool = False


@dataclass(eq=False)
class Copy:
    """A copy of `count` blocks: "out" to the host, "in" from it, or "hand" from another instance.

    `held` are the blocks an asynchronous copy out still reads; `waited` says that an iteration waits for it.
    """

    kind: str
    request: PlainRequest
    lane: Any
    count: int
    waited: bool = False
    held: Blocks = field(default_factory=Blocks)
    here: list[Block] = field(default_factory=list)
    there: list[int] = field(default_factory=list)
    flow: Any = None
    over: bool = False

    def touches(self, instance: Any) -> bool:
        kept = self.request.kept
        return self.lane.instance is instance or (kept is not None and kept.lane.instance is instance)

    def start(self) -> None:
        """Step (6) of a boundary."""
        cluster, here = self.lane.cluster, self.lane.instance.id
        host = cluster.host(here)
        ends = {"out": (here, host), "in": (host, here)}
        if self.kind == "hand":
            assert self.request.kept is not None
            self.request.kept.copying = True
            ends["hand"] = (self.request.kept.lane.instance.id, here)
        self.flow = cluster.network.start(*ends[self.kind], *self.work(), self.end, here)

    def work(self) -> tuple[int, int]:
        """Its bytes, as they count on a link, and its launches."""
        cluster = self.lane.cluster
        topology, count = cluster.settings.topology, self.count
        if cluster.mechanisms.allocator == "groups":
            count = pieces([block.number for block in self.here], self.there)
        count *= 1 if topology is None else topology.block_pieces
        if self.kind != "hand":
            cluster.counters["swap_launches"] += count
        lost = 0 if topology is None else count * topology.half_rate_bytes
        return self.count * cluster.settings.block_bytes + lost, count

    def end(self) -> None:
        """All bytes are there."""
        self.over = True
        request, lane = self.request, self.lane
        request.copies.remove(self)
        if self.waited:
            if self in lane.waits_for:
                lane.waits_for.remove(self)
                if lane.busy and not lane.waits_for:
                    lane.set_off()
        elif self.kind == "out":
            lane.ask(lambda: lane.copied_out(self))
        elif lane.copying.get(request) is self:
            lane.ask(lambda: lane.copied_in(self))
            if self.kind == "hand":
                give_back(request)

    def lose(self) -> None:
        """An instance it touches is gone: it leaves nothing behind."""
        self.over = True
        self.request.copies.remove(self)
        if self.flow is not None:
            self.lane.cluster.network.stop(self.flow)


def give_back(request: PlainRequest) -> None:
    """Whoever handed this request on gives its blocks back at its own next boundary."""
    kept, request.kept = request.kept, None
    if kept is not None:
        kept.lane.ask(lambda: kept.lane.unkeep(kept))
