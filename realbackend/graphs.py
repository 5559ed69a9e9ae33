"""Graphs: iterations of decodes alone, captured for some batch sizes and replayed: one launch instead of hundreds.

A batch is filled up to the next size with rows that have no context, read nothing and store nothing (`kernels.ops`).
Its numbers go to the device in one copy; what changed in the tables is written, the tokens of the last iteration are
fed in and the next are chosen inside the graph.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from kernels.ops import Ops, Plan
from realbackend.device import Device, Graphs, Stream
from realbackend.kv import KvBlocks
from realbackend.model.decoder import Decoder
from realbackend.step import Ints, Numbers, Step, fed
from realbackend.tables import Changes, Tables

_TOKENS, _FEEDS, _POSITIONS, _SLOTS, _CONTEXTS, _ROWS, _PLACES, _BLOCKS = range(8)


def sizes_up_to(most: int) -> tuple[int, ...]:
    """Return batch sizes to capture: 1, 2, 4, then multiples of 8, so that at most 7 rows fill a batch up.

    >>> sizes_up_to(30)
    (1, 2, 4, 8, 16, 24, 30)
    """
    return (*(size for size in (1, 2, 4, *range(8, most, 8)) if size < most), most)


class DecodeGraphs:
    """The decode iterations of one engine, captured when it is made, the largest first: they share its memory.

    Args:
        sizes: batch sizes, ascending.
        latest: [*] int64: the tokens of the last iteration, read and replaced.
        stream: where they run.
    """

    def __init__(
        self,
        decoder: Decoder,
        kv: KvBlocks,
        ops: Ops,
        *,
        sizes: Sequence[int],
        tables: Tables,
        latest: Tensor,
        device: Device,
        stream: Stream,
    ) -> None:
        self.sizes = tuple(sizes)
        self._decoder, self._kv, self._ops = decoder, kv, ops
        self._tables, self._latest, self._device = tables, latest, device
        most = self.sizes[-1]
        self._given = torch.zeros(8 * most, dtype=torch.int32, device=device.at)
        self._counts = torch.arange(most + 1, device=device.at)
        self._starts = self._counts.int()
        graphs = Graphs(stream)
        self._replay = {}
        for size in reversed(self.sizes):
            device.fill(self._given[: 8 * size], self._empty(size).ravel())
            device.synchronize()
            self._replay[size] = graphs.capture(partial(self._step, size))

    def take(self, numbers: Numbers) -> bool:
        """Return whether an iteration is one of these."""
        return numbers.all_decode and len(numbers.tokens) <= self.sizes[-1]

    def run(self, numbers: Numbers, rows: Ints, changes: Changes) -> None:
        """Compute an iteration that `take` has taken; its tokens stand at the beginning of `latest`.

        rows, changes: of its requests in the tables, as `Tables.rows_of` returns them.
        """
        n, changed = len(numbers.tokens), len(changes.places)
        size = self.sizes[bisect_left(self.sizes, n)]
        given = self._empty(size)
        given[: _ROWS + 1, :n] = (*_columns(numbers), rows)
        if changed <= size:  # a request takes a block at a time, but for one that has just come
            given[_PLACES:, :changed] = changes
        else:
            self._tables.write(changes)
        self._device.fill(self._given[: 8 * size], given.ravel())
        self._replay[size]()

    def _step(self, size: int) -> None:
        """What is captured: from `given` to `latest`."""
        given = self._given[: 8 * size].view(8, size)
        wide = given.long()
        self._tables.put(wide[_PLACES], given[_BLOCKS])
        plan = Plan(
            starts=self._starts[: size + 1],
            contexts=given[_CONTEXTS],
            tables=self._tables.entries.index_select(0, wide[_ROWS]),
            decodes=size,
            longest_query=0,
            longest_context=self._tables.width * self._kv.block_tokens,
        )
        tokens = fed(wide[_TOKENS], wide[_FEEDS], self._latest)
        step = Step(tokens, wide[_POSITIONS], wide[_SLOTS], plan, self._counts[:size])
        logits = self._decoder.forward(step, self._kv.pool, self._ops)
        self._latest[:size].copy_(self._ops.sample(logits, None))

    def _empty(self, size: int) -> Ints:
        """Return the numbers of a batch in which nothing happens."""
        given = np.zeros((8, size), np.int32)
        given[_FEEDS] = given[_SLOTS] = -1
        given[_ROWS] = self._tables.nobody
        given[_PLACES] = self._tables.nobody * self._tables.width
        return given


def _columns(numbers: Numbers) -> tuple[Ints, ...]:
    return numbers.tokens, numbers.feeds, numbers.positions, numbers.slots, numbers.contexts
