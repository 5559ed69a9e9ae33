"""Copy blocks: gather blocks of one pool and scatter them into another in one pass, each block one contiguous piece."""

import triton
import triton.language as tl
from torch import Tensor

TILE = 8192


def copy(source: Tensor, source_ids: Tensor, target: Tensor, target_ids: Tensor) -> None:
    """Copy source[source_ids[i]] to target[target_ids[i]], on the device of both; ids are moved there."""
    if not source_ids.numel():
        return
    block, kept = source[0], target[0]
    assert block.shape == kept.shape
    assert block.is_contiguous()
    assert kept.is_contiguous()
    tile = min(TILE, triton.next_power_of_2(block.numel()))
    _copy[source_ids.shape[0], triton.cdiv(block.numel(), tile)](
        source,
        source_ids.to(source.device, non_blocking=True),
        target,
        target_ids.to(target.device, non_blocking=True),
        source.stride(0),
        target.stride(0),
        block.numel(),
        TILE=tile,
    )


def copy_across(source: Tensor, source_ids: Tensor, target: Tensor, target_ids: Tensor) -> None:
    """The same from one device to another, or to pinned memory: by copy engines, which leave the processors alone.

    Ordered with the current stream, which the host does not wait for; ids on a device are waited for.
    """
    for theirs, ours in zip(source_ids.tolist(), target_ids.tolist(), strict=True):
        target[ours].copy_(source[theirs], non_blocking=True)


@triton.jit
def _copy(source, source_ids, target, target_ids, source_block, target_block, size, TILE: tl.constexpr):
    which = tl.program_id(0)
    within = tl.program_id(1) * TILE + tl.arange(0, TILE)
    mask = within < size
    at = tl.load(source_ids + which).to(tl.int64) * source_block
    to = tl.load(target_ids + which).to(tl.int64) * target_block
    tl.store(target + to + within, tl.load(source + at + within, mask=mask), mask=mask)
