"""KV pool: how many blocks of an instance are free, and, when asked, which.

Counts are all that most decisions need. `Tables` follow the same allocations by identity, for what does need it.
`BlockTables` decide nothing, so a run with them takes the same decisions as one without.
"""

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from simcore.books.request import Request


class Tables(Protocol):
    """Which blocks each request holds. All but `decode` return how many blocks that costs or frees in the pool."""

    def decode(self, running: Iterable[Request], first: int, last: int, blocks: int) -> None:
        """Hand out the `blocks` that the decodes among `running` take in iterations first..last-1."""

    def grow(self, request: Request, tokens: int, blocks: int) -> int:
        """`request` is to compute its prompt up to `tokens`, which takes at most `blocks` more."""

    def extend(self, request: Request, blocks: int) -> None:
        """`request` takes this many more to decode."""

    def release(self, request: Request, blocks: int) -> int:
        """`request` gives the `blocks` it holds back."""

    def clear(self) -> None:
        """All blocks are free, and forgotten."""

    def check(self, free: int) -> None:
        """Assert that no block was lost or has two owners, and that `free` are free."""


class KvPool:
    """The KV blocks of one instance, shared by its lanes."""

    __slots__ = ("block_tokens", "free", "tables", "tokens", "total")

    def __init__(self, total: int, block_tokens: int, identities: bool = False) -> None:
        self.total = self.free = total
        self.block_tokens = block_tokens
        self.tokens = total * block_tokens
        self.tables: Tables | None = BlockTables(total, block_tokens) if identities else None

    def blocks_for(self, tokens: int) -> int:
        """Return the blocks that `tokens` tokens fill, the last one perhaps in part."""
        return -(-tokens // self.block_tokens)

    def clear(self) -> None:
        """All blocks are free."""
        self.free = self.total
        if self.tables is not None:
            self.tables.clear()


class BlockTables:
    """Block ids: a queue of free ids, oldest freed first, and one table of ids per request that holds any."""

    __slots__ = ("block_tokens", "free", "of", "total")

    def __init__(self, total: int, block_tokens: int) -> None:
        self.total = total
        self.block_tokens = block_tokens
        self.clear()

    def clear(self) -> None:
        self.free: deque[int] = deque(range(self.total))
        self.of: dict[int, list[int]] = {}

    def grow(self, request: Request, tokens: int, blocks: int) -> int:
        """Give `request` this many more blocks, from the front of the free queue."""
        table = self.of.setdefault(request.id, [])
        for _ in range(blocks):
            table.append(self.free.popleft())
        return blocks

    def release(self, request: Request, blocks: int) -> int:
        """Free all blocks of `request`; its last block comes back into use last."""
        self.free.extend(self.of.pop(request.id, ()))
        return blocks

    def extend(self, request: Request, blocks: int) -> None:
        self.grow(request, 0, blocks)

    def decode(self, running: Iterable[Request], first: int, last: int, blocks: int) -> None:
        """Hand out what the decodes among `running` take in iterations first..last-1, in the order of time."""
        for request in in_turn(running, first, last, self.block_tokens):
            self.grow(request, 0, 1)

    def check(self, free: int) -> None:
        """Assert that ids are conserved and agree with the count of free blocks."""
        held = [block for table in self.of.values() for block in table]
        assert len(self.free) == free, f"{len(self.free)} free ids, but {free} free blocks counted"
        assert sorted([*held, *self.free]) == list(range(self.total)), "a block id was lost or has two owners"


def in_turn(running: Iterable[Request], first: int, last: int, block_tokens: int) -> list[Request]:
    """Return the decodes among `running` once for each block they take in iterations first..last-1, in that order.

    A decode takes a block in each iteration that writes the first token of one.
    """
    due = [
        (iteration, position, request)
        for position, request in enumerate(running)
        if request.ends >= 0
        for iteration in range(first + (-(request.offset + first)) % block_tokens, last, block_tokens)
    ]
    return [request for _, _, request in sorted(due, key=lambda entry: entry[:2])]
