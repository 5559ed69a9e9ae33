"""Plain host memory: copies token by token, each looked at in full whenever somebody asks."""

from dataclasses import dataclass, field
from typing import Any

from tests.property.cluster.groups import Blocks, Groups
from tests.property.cluster.requests import SWAPPED, PlainRequest


@dataclass(eq=False)
class HostCopy:
    """The KV of some tokens, from the first on. `owner` was swapped out last; `needed`: by it, or while it is read."""

    owner: PlainRequest
    tokens: list[tuple[Any, ...]] = field(default_factory=list)
    blocks: int = 0
    needed: bool = False
    used: int = 0
    numbers: Blocks = field(default_factory=Blocks)


class HostMemory:
    """The host memory of one instance: a copy of each conversation."""

    def __init__(self, cluster: Any, size: int) -> None:
        mechanisms = cluster.mechanisms
        self.cluster, self.size, self.total = cluster, size, mechanisms.host_blocks
        self.keep = mechanisms.host_copy == "keep"
        self.groups: Groups | None = None
        if mechanisms.allocator == "groups":
            self.groups = Groups(self.total, 1, mechanisms.host_prealloc_blocks)
        self.copies: dict[int, HostCopy] = {}
        self.uses = 0

    @property
    def free(self) -> int:
        return int(self.total - sum(copy.blocks for copy in self.copies.values() if copy.needed))

    @property
    def empty(self) -> int:
        return int(self.total - sum(copy.blocks for copy in self.copies.values()))

    def of(self, request: PlainRequest) -> HostCopy | None:
        return self.copies.get(request.conversation)

    def valid(self, request: PlainRequest) -> int:
        """How many of its tokens are here."""
        copy = self.of(request)
        there = [] if copy is None else copy.tokens
        return next((i for i, token in enumerate(there) if token != request.token(i)), len(there))

    def prefix(self, request: PlainRequest) -> int:
        """How many of them it need not compute."""
        return min(self.valid(request), request.target - 1) // self.size * self.size if self.keep else 0

    def numbers(self, request: PlainRequest, first: int, last: int) -> list[int]:
        copy = self.of(request)
        assert copy is not None
        return list(copy.numbers[first:last])

    def write(self, request: PlainRequest) -> tuple[int, list[PlainRequest]] | None:
        """Take its KV: return the blocks that need no copying, and who lost theirs; None: there is no room."""
        wanted = -(-request.computed // self.size)
        lower: list[HostCopy] = []
        if wanted > self.free:
            mine = self.cluster.priority(request)
            lower = [copy for copy in self.copies.values() if copy.needed and self.waits(copy.owner)]
            lower = [copy for copy in lower if self.keep and self.cluster.priority(copy.owner) > mine]
            if wanted > self.free + sum(copy.blocks for copy in lower):
                return None
        valid = min(self.valid(request), request.computed)
        copy = self.of(request) or HostCopy(request)
        self.copies[request.conversation] = copy
        self.shorten(copy, min(copy.blocks, wanted))
        unneeded = [other for other in self.copies.values() if not other.needed and other is not copy]
        losers: list[PlainRequest] = []
        for other in [*self.order(unneeded), *self.order(lower)]:
            missing = wanted - copy.blocks - self.empty
            if missing > 0:
                if other.needed:
                    losers.append(other.owner)
                    other.needed = False
                self.shorten(other, max(0, other.blocks - missing))
        if self.groups is not None:
            copy.numbers += self.groups.take(copy.numbers, wanted - copy.blocks)
        copy.blocks = wanted
        copy.owner, copy.tokens = request, [request.token(i) for i in range(request.computed)]
        copy.needed = True
        self.use(request)
        return (wanted if valid == request.computed else valid // self.size), losers

    def order(self, copies: list[HostCopy]) -> list[HostCopy]:
        return sorted(copies, key=lambda copy: (-self.cluster.priority(copy.owner), copy.used))

    def waits(self, request: PlainRequest) -> bool:
        return request.state == SWAPPED and all(copy.waited for copy in request.copies)

    def shorten(self, copy: HostCopy, blocks: int) -> None:
        if blocks == copy.blocks:
            return
        if self.groups is not None:
            self.groups.give(copy.numbers, copy.numbers[blocks:])
            del copy.numbers[blocks:]
        copy.blocks = blocks
        copy.tokens = copy.tokens[: blocks * self.size]

    def use(self, request: PlainRequest) -> None:
        self.uses += 1
        self.copies[request.conversation].used = self.uses

    def release(self, request: PlainRequest) -> None:
        """It does not need its copy any more."""
        copy = self.of(request)
        if copy is not None and copy.needed:
            copy.needed = False
            if not self.keep:
                self.forget(request)

    def forget(self, request: PlainRequest) -> None:
        copy = self.copies.pop(request.conversation, None)
        if copy is not None:
            self.shorten(copy, 0)
