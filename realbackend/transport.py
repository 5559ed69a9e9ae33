"""Transport: copies of KV blocks between pools, beside the computation: on a device, between devices, to the host.

Blocks are contiguous, and so are neighbours: a run of blocks that are neighbours in both pools is one memory copy, made
by a copy engine, which leaves the multiprocessors alone. Where runs are short, one kernel gathers and scatters.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from kernels.ops import Ops
from realbackend.completion import Completion
from realbackend.device import Device, Stream

_WORTH_A_COPY_BYTES = 1 << 20
"""A memory copy costs the host some 10 us, in which a GPU moves tens of megabytes within itself."""


class KvTransport(Protocol):
    """A way from one pool to another, both [blocks, ...] of the same kind of block."""

    def copy(
        self, source: Tensor, theirs: list[int], target: Tensor, ours: list[int], after: Sequence[Completion]
    ) -> Completion:
        """Start to copy source[theirs[i]] to target[ours[i]] once `after` are done; return what is done at the end.

        The host does not wait. The two must not overlap, and keep their storages until the end.
        """


class Run(NamedTuple):
    """Blocks source .. source + blocks - 1 of one pool, and target .. target + blocks - 1 of the other."""

    source: int
    target: int
    blocks: int


def runs_of(theirs: list[int], ours: list[int]) -> list[Run]:
    """Return the fewest runs that copy block theirs[i] to ours[i] in this order.

    >>> runs_of([4, 5, 6, 9], [0, 1, 2, 3])
    [Run(source=4, target=0, blocks=3), Run(source=9, target=3, blocks=1)]
    """
    runs: list[Run] = []
    begin = 0
    for i in range(1, len(theirs) + 1):
        if i == len(theirs) or theirs[i] != theirs[i - 1] + 1 or ours[i] != ours[i - 1] + 1:
            runs.append(Run(theirs[begin], ours[begin], i - begin))
            begin = i
    return runs


class HostCopy:
    """Between a device and pinned host memory, in one direction: a stream of its own, so both directions go at once."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def copy(
        self, source: Tensor, theirs: list[int], target: Tensor, ours: list[int], after: Sequence[Completion]
    ) -> Completion:
        self._stream.after(after)
        with self._stream.use():
            copy_runs(source, target, runs_of(theirs, ours))
        return self._stream.mark()


class LocalCopy:
    """Between pools on one device."""

    def __init__(self, stream: Stream, ops: Ops) -> None:
        self._stream = stream
        self._ops = ops

    def copy(
        self, source: Tensor, theirs: list[int], target: Tensor, ours: list[int], after: Sequence[Completion]
    ) -> Completion:
        self._stream.after(after)
        runs = runs_of(theirs, ours)
        with self._stream.use():
            if len(runs) * _WORTH_A_COPY_BYTES <= len(theirs) * source[0].nbytes:
                copy_runs(source, target, runs)
            else:
                self._ops.copy_blocks(source, torch.tensor(theirs), target, torch.tensor(ours))
        return self._stream.mark()


class PeerCopy:
    """From another device of this process, over NVLink or PCIe.

    Torch launches such a copy on the source's stream in use, and has it and the target's wait for each other.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._theirs: dict[torch.device, Stream] = {}

    def copy(
        self, source: Tensor, theirs: list[int], target: Tensor, ours: list[int], after: Sequence[Completion]
    ) -> Completion:
        if source.device not in self._theirs:
            self._theirs[source.device] = Device(source.device).stream()
        self._stream.after(after)
        with self._theirs[source.device].use(), self._stream.use():
            copy_runs(source, target, runs_of(theirs, ours))
        return self._stream.mark()


def copy_runs(source: Tensor, target: Tensor, runs: list[Run]) -> None:
    """Copy runs of blocks on the stream in use, one memory copy each."""
    for run in runs:
        target[run.target : run.target + run.blocks].copy_(
            source[run.source : run.source + run.blocks], non_blocking=True
        )
