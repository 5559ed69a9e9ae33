"""Uses: how often the blocks of prompts come, from one that all prompts begin with to those that never come again."""

from itertools import chain

import numpy as np
from numpy.typing import NDArray

from simcore.contract.traffic import Arrivals, Column
from traces.blocks import BlockIds

BLOCK_TOKENS = 512
"""As in Mooncake's traces: coarse enough to keep an entry for each block."""


class Uses:
    """Counts the blocks of prompts, `BLOCK_TOKENS` each; memory for every different one."""

    def __init__(self) -> None:
        self._ids = BlockIds(BLOCK_TOKENS)
        self._uses = np.zeros(1024, np.int64)
        self._tokens = np.zeros(1024, np.int64)

    def add(self, piece: Arrivals) -> None:
        """Count the blocks of all prompts of a piece."""
        rows = list(self._ids.of(piece))
        ids = np.fromiter(chain.from_iterable(rows), np.int64)
        tokens = np.full(len(ids), BLOCK_TOKENS, np.int64)
        ends = np.cumsum([len(row) for row in rows])
        tokens[ends - 1] = (piece.prompt_tokens - 1) % BLOCK_TOKENS + 1
        if self._ids.given > len(self._uses):
            room = np.zeros(self._ids.given, np.int64)
            self._uses, self._tokens = (np.concatenate([each, room]) for each in (self._uses, self._tokens))
        np.add.at(self._uses, ids, 1)
        self._tokens[ids] = tokens

    @property
    def blocks(self) -> int:
        """How many different blocks there are."""
        return self._ids.given

    def table(self) -> tuple[Column, NDArray[np.float64]]:
        """Return [m] numbers of uses, ascending, and the share of all prompt tokens in blocks that come so often."""
        used = slice(0, self.blocks)
        times, row = np.unique(self._uses[used], return_inverse=True)
        tokens = np.bincount(row, weights=self._uses[used] * self._tokens[used])
        return times, tokens / tokens.sum()
