"""Tables: which blocks hold the KV of each request, on the device; what changes between iterations is sent there."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realbackend.device import Device
from realbackend.work import Work

ROWS = 1024
"""Most requests of an iteration."""


class Changes(NamedTuple):
    """Entries to write: place (row x width + column) and block, both [changes] int32."""

    places: NDArray[np.int32]
    blocks: NDArray[np.int32]


class Tables:
    """A row for each request that was lately in an iteration.

    Args:
        width: most blocks of a request.

    `entries` is [ROWS + 1, width] int32 on the device. Beyond the blocks of a request its row holds anything. The last
    row is nobody's: what only fills a batch up reads and writes there.
    """

    def __init__(self, width: int, device: Device) -> None:
        self.entries = torch.zeros((ROWS + 1, width), dtype=torch.int32, device=device.at)
        self.width = width
        self.nobody = ROWS
        self._device = device
        self._known: dict[int, tuple[int, list[int]]] = {}
        """By request: its row, and the blocks that stand there."""
        self._free = list(range(ROWS))

    def rows_of(self, work: list[Work]) -> tuple[NDArray[np.int32], Changes]:
        """Return the row of each request, and what must be written before they are read.

        Raises ValueError for more requests than there are rows.
        """
        known, width = self._known, self.width
        rows: list[int] = []
        places: list[int] = []
        entries: list[int] = []
        for request, _, _, blocks, _ in work:
            row, before = known.get(request) or self._enter(request, work)
            rows.append(row)
            if blocks != before:
                same = len(before) if blocks[: len(before)] == before else 0
                places += range(row * width + same, row * width + len(blocks))
                entries += blocks[same:]
                known[request] = row, blocks
        return np.array(rows, np.int32), Changes(np.array(places, np.int32), np.array(entries, np.int32))

    def write(self, changes: Changes) -> None:
        """Write changes, on the stream in use."""
        if len(changes.places):
            places, blocks = self._device.upload(np.stack(changes)).unbind(0)
            self.put(places.long(), blocks)

    def put(self, places: Tensor, blocks: Tensor) -> None:
        """Write `blocks` [n] int32 at `places` [n] int64."""
        self.entries.view(-1).index_copy_(0, places, blocks)

    def _enter(self, request: int, work: list[Work]) -> tuple[int, list[int]]:
        if not self._free:
            if len(work) > ROWS:
                raise ValueError(f"an iteration of the real engine can have at most {ROWS} requests, got {len(work)}")
            here = {each.request for each in work}
            for gone in [other for other in self._known if other not in here]:
                self._free.append(self._known.pop(gone)[0])
        entered = self._known[request] = self._free.pop(), []
        return entered
