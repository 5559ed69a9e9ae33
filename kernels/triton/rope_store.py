"""Rope and store: rotate queries and keys to their positions, and put keys and values into their KV blocks, at once."""

import torch
import triton
import triton.language as tl
from torch import Tensor


def rotate_and_store(
    q: Tensor, k: Tensor, v: Tensor, table: Tensor, positions: Tensor, slots: Tensor, layer: Tensor
) -> Tensor:
    """Return q rotated; one program a token, all its heads. See `kernels.ops.Ops.rope_and_store`."""
    tokens, heads, head_dim = q.shape
    kv_heads = k.shape[1]
    out = torch.empty((tokens, heads, head_dim), dtype=q.dtype, device=q.device)
    if tokens:
        _rotate_and_store[(tokens,)](
            out,
            q,
            k,
            v,
            table,
            positions,
            slots,
            layer,
            q.stride(0),
            q.stride(1),
            k.stride(0),
            k.stride(1),
            v.stride(0),
            v.stride(1),
            table.stride(0),
            layer.stride(0),
            layer.stride(1),
            layer.stride(2),
            layer.stride(3),
            HEADS=heads,
            HEAD_ROWS=triton.next_power_of_2(heads),
            KV_HEADS=kv_heads,
            KV_ROWS=triton.next_power_of_2(kv_heads),
            HALF=head_dim // 2,
            COLUMNS=triton.next_power_of_2(head_dim // 2),
            BLOCK_TOKENS=layer.shape[2],
            num_warps=4,
        )
    return out


@triton.jit
def _rotate_and_store(
    out,
    q,
    k,
    v,
    table,
    positions,
    slots,
    layer,
    q_row,
    q_head,
    k_row,
    k_head,
    v_row,
    v_head,
    table_row,
    layer_block,
    layer_side,
    layer_place,
    layer_head,
    HEADS: tl.constexpr,
    HEAD_ROWS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    KV_ROWS: tl.constexpr,
    HALF: tl.constexpr,
    COLUMNS: tl.constexpr,
    BLOCK_TOKENS: tl.constexpr,
):
    token = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, COLUMNS)
    angles = table + tl.load(positions + token) * table_row + columns
    cos = tl.load(angles, mask=columns < HALF, other=0.0)[None, :]
    sin = tl.load(angles + HALF, mask=columns < HALF, other=0.0)[None, :]

    heads = tl.arange(0, HEAD_ROWS)[:, None]
    mask = (heads < HEADS) & (columns < HALF)[None, :]
    queries = out + token * (HEADS * 2 * HALF) + heads * (2 * HALF) + columns[None, :]
    _rotate(queries, q + token * q_row + heads * q_head + columns[None, :], cos, sin, mask, HALF)

    slot = tl.load(slots + token)
    if slot >= 0:
        kv_heads = tl.arange(0, KV_ROWS)[:, None]
        stored = (kv_heads < KV_HEADS) & (columns < HALF)[None, :]
        place = layer + (slot // BLOCK_TOKENS) * layer_block + (slot % BLOCK_TOKENS) * layer_place
        keys = place + kv_heads * layer_head + columns[None, :]
        _rotate(keys, k + token * k_row + kv_heads * k_head + columns[None, :], cos, sin, stored, HALF)
        values = v + token * v_row + kv_heads * v_head + columns[None, :]
        tl.store(keys + layer_side, tl.load(values, mask=stored), mask=stored)
        tl.store(keys + layer_side + HALF, tl.load(values + HALF, mask=stored), mask=stored)


@triton.jit
def _rotate(target, source, cos, sin, mask, HALF: tl.constexpr):
    first = tl.load(source, mask=mask).to(tl.float32)
    second = tl.load(source + HALF, mask=mask).to(tl.float32)
    tl.store(target, (first * cos - second * sin).to(target.dtype.element_ty), mask=mask)
    tl.store(target + HALF, (second * cos + first * sin).to(target.dtype.element_ty), mask=mask)
