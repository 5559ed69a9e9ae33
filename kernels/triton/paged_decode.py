"""Paged decode: one query a sequence over its KV blocks, the context cut in parts that programs read side by side.

A program has all query heads of one KV head, so keys and values are read once. Each part leaves a normed sum and the
logarithm of its weight; a second kernel adds the parts. With one part there is no second kernel.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.ops import Plan
from kernels.triton.softmax import LOG2_E, fold, places

MOST_PARTS = 128
INVARIANT_PARTS = 8
AT_ONCE = 3
"""Programs that a Hopper multiprocessor runs at a time: 152 registers a thread, as compiled for a head of 128."""


def attend_decodes(
    out: Tensor, q: Tensor, layer: Tensor, plan: Plan, scale: float, *, processors: int, batch_invariant: bool
) -> None:
    """Write out[: plan.decodes] of [n, h, e]; a sequence without a context, as rows that only fill a batch, gets 0.

    processors: multiprocessors of the GPU. batch_invariant: as many parts whatever else is in the batch.
    """
    heads, kv_heads, head_dim = q.shape[1], layer.shape[3], q.shape[2]
    tile = tile_of(head_dim, q.element_size())
    if batch_invariant:
        parts = INVARIANT_PARTS
    else:
        parts = parts_of(plan.decodes * kv_heads, plan.longest_context, tile, processors)
    if parts == 1:
        partial, weight = out, out  # neither is written
    else:
        partial = torch.empty((plan.decodes, heads, parts, head_dim), dtype=torch.float32, device=q.device)
        weight = torch.empty((plan.decodes, heads, parts), dtype=torch.float32, device=q.device)
    group, columns = heads // kv_heads, triton.next_power_of_2(head_dim)
    _attend_part[kv_heads, parts, plan.decodes](
        out,
        partial,
        weight,
        q,
        layer,
        plan.tables,
        plan.contexts,
        scale * LOG2_E,
        q.stride(0),
        q.stride(1),
        layer.stride(0),
        layer.stride(1),
        layer.stride(2),
        layer.stride(3),
        plan.tables.stride(0),
        GROUP=group,
        ROWS=max(16, triton.next_power_of_2(group)),
        HEAD_DIM=head_dim,
        COLUMNS=columns,
        BLOCK_TOKENS=layer.shape[2],
        TILE=tile,
        WHOLE=parts == 1,
        num_warps=4,
        num_stages=3,
    )
    if parts > 1:
        _add_parts[plan.decodes, heads](
            out, partial, weight, HEAD_DIM=head_dim, COLUMNS=columns, PARTS=parts, num_warps=4 if parts > 16 else 1
        )


def tile_of(head_dim: int, itemsize: int) -> int:
    """Return tokens of a tile: some 32 KiB of keys and values, half of it in float32, which takes more registers.

    >>> tile_of(128, 2), tile_of(64, 2), tile_of(256, 4)
    (64, 128, 16)
    """
    tokens: int = (16384 if itemsize == 2 else 8192) // (triton.next_power_of_2(head_dim) * itemsize)
    return max(16, min(128, tokens))


def parts_of(programs: int, longest_context: int, tile: int, processors: int) -> int:
    """Return in how many parts, a power of two, to cut contexts where each would otherwise be that many programs.

    Enough for four rounds of programs, so that the last one, partly empty, costs little, while a part has 512 tokens,
    beside which its sum is small change; if that leaves processors idle, down to a tile a part.

    >>> parts_of(8, 131072, 64, 132), parts_of(8, 1024, 64, 132)  # one sequence, 8 KV heads
    (128, 16)
    >>> parts_of(64 * 8, 1024, 64, 132), parts_of(256 * 8, 1024, 64, 132)
    (2, 1)
    """
    at_once = AT_ONCE * processors
    rounds = min(_above(4 * at_once / programs), _below(longest_context / 512))
    filled = min(_above(at_once / programs), _below(longest_context / tile))
    return min(MOST_PARTS, max(rounds, filled))


def _above(ratio: float) -> int:
    """Return the lowest power of two, at least 1, that is not less."""
    power = 1
    while power < ratio:
        power *= 2
    return power


def _below(ratio: float) -> int:
    """Return the highest power of two that is not more, or 1."""
    power = 1
    while power * 2 <= ratio:
        power *= 2
    return power


@triton.jit(do_not_specialize=["table_row"])
def _attend_part(
    out,
    partial,
    weight,
    q,
    layer,
    tables,
    contexts,
    scale,
    q_row,
    q_head,
    layer_block,
    layer_side,
    layer_place,
    layer_head,
    table_row,
    GROUP: tl.constexpr,
    ROWS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    COLUMNS: tl.constexpr,
    BLOCK_TOKENS: tl.constexpr,
    TILE: tl.constexpr,
    WHOLE: tl.constexpr,
):
    # KV heads vary fastest: neighbours read the same blocks.
    kv_head, part, sequence = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    parts = tl.num_programs(1)
    context = tl.load(contexts + sequence)
    length = tl.cdiv(tl.cdiv(context, TILE), parts) * TILE
    begin = part * length
    end = tl.minimum(begin + length, context)

    rows, columns, inner = tl.arange(0, ROWS), tl.arange(0, COLUMNS), tl.arange(0, TILE)
    real = columns < HEAD_DIM
    wanted = (rows < GROUP)[:, None] & real[None, :]
    head = kv_head * GROUP + rows
    query = tl.load(q + sequence * q_row + head[:, None] * q_head + columns[None, :], mask=wanted, other=0.0)
    keys = layer + kv_head * layer_head
    table = tables + sequence * table_row

    highest = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    sums = tl.zeros([ROWS, COLUMNS], tl.float32)
    for at in range(begin, end, TILE):
        inside = at + inner < end
        place = places(table, at, inner, inside, layer_block, layer_place, BLOCK_TOKENS)
        key = tl.load(keys + place[None, :] + columns[:, None], mask=inside[None, :] & real[:, None], other=0.0)
        value = tl.load(
            keys + layer_side + place[:, None] + columns[None, :], mask=inside[:, None] & real[None, :], other=0.0
        )
        scores = tl.dot(query, key, input_precision="ieee") * scale
        scores = tl.where(inside[None, :], scores, float("-inf"))
        sums, total, highest = fold(sums, total, highest, scores, value)

    some = tl.where(total > 0, total, 1.0)
    result = sums / some[:, None]
    row = sequence * tl.num_programs(0) * GROUP + head
    if WHOLE:
        tl.store(out + row[:, None] * HEAD_DIM + columns[None, :], result.to(out.dtype.element_ty), mask=wanted)
    else:
        slot = row * parts + part
        tl.store(partial + slot[:, None] * HEAD_DIM + columns[None, :], result, mask=wanted & (begin < end))
        tl.store(weight + slot, tl.where(total > 0, highest + tl.log2(some), float("-inf")), mask=rows < GROUP)


@triton.jit
def _add_parts(out, partial, weight, HEAD_DIM: tl.constexpr, COLUMNS: tl.constexpr, PARTS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * tl.num_programs(1) + tl.program_id(1)
    slot = row * PARTS + tl.arange(0, PARTS)
    columns = tl.arange(0, COLUMNS)
    real = columns < HEAD_DIM
    logarithm = tl.load(weight + slot)
    # An empty part has weight 0 and was never written; a context of 0 has only such parts.
    written = logarithm > float("-inf")
    highest = tl.max(tl.where(written, logarithm, -1e30), 0)
    share = tl.where(written, tl.exp2(logarithm - highest), 0.0)
    mask = written[:, None] & real[None, :]
    values = tl.load(partial + slot[:, None] * HEAD_DIM + columns[None, :], mask=mask, other=0.0)
    total = tl.sum(share, 0)
    result = tl.sum(values * share[:, None], 0) / tl.where(total > 0, total, 1.0)
    tl.store(out + row * HEAD_DIM + columns, result.to(out.dtype.element_ty), mask=real)
