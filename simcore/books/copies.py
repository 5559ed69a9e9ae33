"""Copies of KV that a lane asks for, and the blocks that stay until one has ended."""

from typing import Literal, NamedTuple

from simcore.books.caches import Holder
from simcore.books.request import Request

Way = Literal["drop", "swap"]
"""What becomes of the KV of a victim."""


class Kept(NamedTuple):
    """Blocks that stay until a copy of them has ended: the cached ones among them, how many, and of how many tokens."""

    chain: Holder | None
    blocks: int
    computed: int


class Copy:
    """A copy to make, of `blocks` blocks of `request`: "out" to the host, "in" from it, or a "fetch" from `source`."""

    __slots__ = ("at_once", "blocks", "host_ids", "ids", "kept", "kind", "request", "source")

    def __init__(
        self, kind: Literal["out", "in", "fetch"], request: Request, blocks: int, source: object = None
    ) -> None:
        self.kind = kind
        self.request = request
        self.blocks = blocks
        self.source = source
        self.kept: Kept | None = None
        """What a copy out holds until it has ended."""
        self.ids: list[int] = []
        """The blocks here that it reads or fills, in the order of their tokens; if they have ids."""
        self.host_ids: list[int] = []
        """Those on the host, likewise."""
        self.at_once = False
        """The books changed when it began, and an iteration that is formed at its boundary waits for it."""

    @property
    def stretches(self) -> int:
        """In how many pieces it can be made: blocks that are neighbours at both ends go together."""
        both = list(zip(self.ids, self.host_ids, strict=True))
        return sum(i == 0 or both[i - 1] != (here - 1, there - 1) for i, (here, there) in enumerate(both))
