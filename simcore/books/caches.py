"""Caches: what a store asks of whoever knows which blocks of a pool are held, cached or free.

Two do: `PrefixCache` keeps runs of blocks and is fast; `BlockCache` knows the id of each block.
"""

from typing import Any, Protocol

from simcore.books.prefix_cache import Content


class Holder(Protocol):
    """Who holds the first `blocks` full blocks of a content as cached ones. The rest is the cache's own."""

    blocks: int


class Cache(Protocol):
    """The blocks of one pool; the rules: `simcore.books.prefix_cache`. A `chain` is one that `open` returned."""

    block_tokens: int
    total: int
    evicted: int
    """Cached blocks that were taken for something else."""

    @property
    def free(self) -> int:
        """Blocks that nobody holds, cached or not."""

    def clear(self) -> None:
        """Forget everything."""

    def match(self, content: Content, blocks: int) -> tuple[int, int]:
        """Return how many of the first `blocks` blocks of `content` are cached, and how many of those are free now."""

    def open(self, content: Content) -> Any:
        """Return a holder of nothing yet."""

    def grow(self, chain: Any, blocks: int, own: int = 0) -> int:
        """Hold the first `blocks` blocks as cached ones, `own` of them filled by it; return how many fewer are free."""

    def release(self, chain: Any, anonymous: int) -> int:
        """Free all that a holder has; return how many became free."""

    def take(self, blocks: int, chain: Any) -> None:
        """Take so many free blocks, for this holder if blocks have ids."""

    def give(self, blocks: int, chain: Any) -> None:
        """Free so many anonymous blocks, of this holder if blocks have ids."""

    def check(self) -> None:
        """Assert that it agrees with itself."""
