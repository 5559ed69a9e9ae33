"""Paged prefill: several queries a sequence, the last of its context, over its KV blocks, each up to its own position.

A program has a tile of queries times all query heads of one KV head. Tiles are numbered over all sequences, so the grid
follows from the number of tokens alone; a program finds its sequence by bisection, and a few have nothing to do.
"""

import triton
import triton.language as tl
from torch import Tensor

from kernels.ops import Plan
from kernels.triton.softmax import LOG2_E, fold, places


def attend_prefills(out: Tensor, q: Tensor, layer: Tensor, plan: Plan, scale: float, *, batch_invariant: bool) -> None:
    """Write out[plan.decodes :] of [n, h, e]. batch_invariant: tiles of one size whatever else is in the batch."""
    heads, kv_heads, head_dim = q.shape[1], layer.shape[3], q.shape[2]
    group, decodes, sequences = heads // kv_heads, plan.decodes, plan.contexts.shape[0]
    longest = q.shape[0] if batch_invariant else plan.longest_query
    rows, tile, warps, stages = tiles_of(head_dim, q.element_size(), group, longest)
    queries = rows // group
    tiles = (q.shape[0] - decodes) // queries + sequences - decodes
    _attend_tile[tiles, kv_heads](
        out,
        q,
        layer,
        plan.tables,
        plan.contexts,
        plan.starts,
        decodes,
        sequences,
        scale * LOG2_E,
        q.stride(0),
        q.stride(1),
        layer.stride(0),
        layer.stride(1),
        layer.stride(2),
        layer.stride(3),
        plan.tables.stride(0),
        GROUP=group,
        QUERIES=queries,
        ROWS=rows,
        HEAD_DIM=head_dim,
        COLUMNS=triton.next_power_of_2(head_dim),
        BLOCK_TOKENS=layer.shape[2],
        TILE=tile,
        num_warps=warps,
        num_stages=stages,
    )


def tiles_of(head_dim: int, itemsize: int, group: int, longest: int) -> tuple[int, int, int, int]:
    """Return rows of a tile (queries times heads of a group), tokens of a tile of keys, warps and tiles in flight.

    >>> tiles_of(128, 2, 4, 2048), tiles_of(128, 2, 4, 5)
    ((128, 64, 8, 5), (32, 64, 4, 5))
    """
    columns = triton.next_power_of_2(head_dim)
    if itemsize > 2:  # float32 has no tensor cores that are exact: small tiles of registers
        most, tile, stages = 16, 16, 3
    elif columns > 128:
        most, tile, stages = 64, 32, 5
    else:
        most, tile, stages = 128, 64, 5
    least = max(16, triton.next_power_of_2(group))
    rows = max(least, min(most, triton.next_power_of_2(longest * group)))
    return rows, tile, 8 if rows * columns >= 8192 else 4, stages


@triton.jit(do_not_specialize=["decodes", "sequences", "table_row"])
def _attend_tile(
    out,
    q,
    layer,
    tables,
    contexts,
    starts,
    decodes,
    sequences,
    scale,
    q_row,
    q_head,
    layer_block,
    layer_side,
    layer_place,
    layer_head,
    table_row,
    GROUP: tl.constexpr,
    QUERIES: tl.constexpr,
    ROWS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    COLUMNS: tl.constexpr,
    BLOCK_TOKENS: tl.constexpr,
    TILE: tl.constexpr,
):
    # The last tiles of a sequence see most: they begin first.
    number = tl.num_programs(0) - 1 - tl.program_id(0)
    kv_head, kv_heads = tl.program_id(1), tl.num_programs(1)
    sequence, tile = _tile_of(number, starts, decodes, sequences, QUERIES)
    start = tl.load(starts + sequence)
    queries = tl.load(starts + sequence + 1) - start
    first = tile * QUERIES
    if first >= queries:
        return

    rows, columns, inner = tl.arange(0, ROWS), tl.arange(0, COLUMNS), tl.arange(0, TILE)
    real = columns < HEAD_DIM
    query_of = first + rows // GROUP
    head = kv_head * GROUP + rows % GROUP
    wanted = ((rows < QUERIES * GROUP) & (query_of < queries))[:, None] & real[None, :]
    row = (start + query_of).to(tl.int64)
    query = tl.load(q + row[:, None] * q_row + head[:, None] * q_head + columns[None, :], mask=wanted, other=0.0)
    keys = layer + kv_head * layer_head
    table = tables + sequence.to(tl.int64) * table_row

    before = tl.load(contexts + sequence) - queries
    position = before + query_of
    seen_by_all = (before + first + 1) // TILE * TILE
    end = before + tl.minimum(first + QUERIES, queries)
    highest = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    sums = tl.zeros([ROWS, COLUMNS], tl.float32)
    for at in range(0, seen_by_all, TILE):
        whole = inner < TILE
        place = places(table, at, inner, whole, layer_block, layer_place, BLOCK_TOKENS)
        key = tl.load(keys + place[None, :] + columns[:, None], mask=real[:, None], other=0.0)
        value = tl.load(keys + layer_side + place[:, None] + columns[None, :], mask=real[None, :], other=0.0)
        scores = tl.dot(query, key, input_precision="ieee") * scale
        sums, total, highest = fold(sums, total, highest, scores, value)
    for at in range(seen_by_all, end, TILE):
        inside = at + inner < end
        place = places(table, at, inner, inside, layer_block, layer_place, BLOCK_TOKENS)
        key = tl.load(keys + place[None, :] + columns[:, None], mask=inside[None, :] & real[:, None], other=0.0)
        value = tl.load(
            keys + layer_side + place[:, None] + columns[None, :], mask=inside[:, None] & real[None, :], other=0.0
        )
        scores = tl.dot(query, key, input_precision="ieee") * scale
        seen = (at + inner)[None, :] <= position[:, None]
        scores = tl.where(seen & inside[None, :], scores, float("-inf"))
        sums, total, highest = fold(sums, total, highest, scores, value)

    at_out = (row * kv_heads * GROUP)[:, None] + head[:, None]
    result = sums / total[:, None]
    tl.store(out + at_out * HEAD_DIM + columns[None, :], result.to(out.dtype.element_ty), mask=wanted)


@triton.jit
def _tile_of(number, starts, decodes, sequences, QUERIES: tl.constexpr):
    """Return the sequence that a tile is of, and which of its tiles; one past its last where it has nothing to do.

    Sequence i may start its tiles at (starts[i] - starts[decodes]) // QUERIES + i - decodes: it has room for them all.
    """
    origin = tl.load(starts + decodes)
    low, high = decodes, sequences
    while low + 1 < high:
        middle = (low + high) // 2
        begun = (tl.load(starts + middle) - origin) // QUERIES + middle - decodes <= number
        low = tl.where(begun, middle, low)
        high = tl.where(begun, high, middle)
    return low, number - ((tl.load(starts + low) - origin) // QUERIES + low - decodes)
