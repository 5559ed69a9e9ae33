"""Decoding: one request alone on one engine, an iteration at a time, over blocks that it takes as it grows."""

from collections.abc import Sequence

from realbackend.torch_engine import TorchEngine
from realbackend.work import Work

_CHUNK_TOKENS = 2048


class Decoding:
    """A request whose tokens are chosen here.

    Args:
        free: ids of the engine's blocks that nobody has; it takes from there and gives back.
        text: its prompt; or that and what it has generated elsewhere.
        until: tokens of its text when it has finished.
        blocks: hold the KV of all of `text` but its last token; none: nothing is computed yet.
    """

    def __init__(
        self, engine: TorchEngine, free: list[int], text: Sequence[int], until: int, blocks: Sequence[int] = ()
    ) -> None:
        self.engine = engine
        self.text = list(text)
        self.until = until
        self.blocks = list(blocks)
        self.computed = len(self.text) - 1 if blocks else 0
        """Tokens whose KV is there."""
        self.block_tokens = engine.kv.block_tokens
        self._free = free

    @property
    def finished(self) -> bool:
        return len(self.text) >= self.until

    def step(self) -> None:
        """Compute what is not computed yet, and choose the token behind it. Raises MemoryError without a free block."""
        end = len(self.text)
        self.blocks += take(self._free, self.blocks_for(end) - len(self.blocks))
        while self.computed < end:
            new = self.text[self.computed : min(end, self.computed + _CHUNK_TOKENS)]
            reached = self.computed + len(new)
            self.text += self.engine.run([Work(0, self.computed, new, list(self.blocks), reached == end)])
            self.computed = reached

    def blocks_for(self, tokens: int) -> int:
        """Return the blocks that so many tokens fill, the last one perhaps in part."""
        return -(-tokens // self.block_tokens)

    def release(self) -> None:
        """Give its blocks back."""
        self._free += self.blocks
        self.blocks = []


def take(free: list[int], blocks: int) -> list[int]:
    """Take so many ids, the first ones; 0 or less: none. Raises MemoryError, and takes none, where there are fewer."""
    if blocks > len(free):
        raise MemoryError(f"{blocks} blocks of KV are needed, {len(free)} are free")
    taken = free[: max(0, blocks)]
    del free[: len(taken)]
    return taken
