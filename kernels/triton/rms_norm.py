"""RMS norm: rows divided by their root mean square, times a weight; a sum with a residual is made in the same pass."""

import torch
import triton
import triton.language as tl
from torch import Tensor


def norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Return x [..., d] normed; rows may lie apart, as the heads of queries do in a product of queries and keys."""
    rows = x if x.dim() == 3 and x.stride(-1) == 1 else x.reshape(-1, 1, x.shape[-1])
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    _launch(out, out, rows, rows, weight, eps, add=False)
    return out


def add_norm(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Return (normed sum, sum) of x and residual [n, d]."""
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    total = torch.empty_like(out)
    _launch(out, total, x.unsqueeze(1), residual.unsqueeze(1), weight, eps, add=True)
    return out, total


def rows_of(width: int) -> tuple[int, int]:
    """Return rows that a program takes, and its warps: some 16 numbers a thread.

    >>> rows_of(128), rows_of(4096)
    ((16, 4), (1, 8))
    """
    columns = triton.next_power_of_2(width)
    return max(1, 2048 // columns), min(16, max(4, columns // 512))


def _launch(out: Tensor, total: Tensor, x: Tensor, residual: Tensor, weight: Tensor, eps: float, *, add: bool) -> None:
    """Norm the rows of x [a, b, d] to out, contiguous."""
    outer, inner, width = x.shape
    if not outer * inner:
        return
    rows, warps = rows_of(width)
    _norm[(triton.cdiv(outer * inner, rows),)](
        out,
        total,
        x,
        residual,
        weight,
        outer * inner,
        x.stride(0),
        x.stride(1),
        residual.stride(0),
        eps,
        INNER=inner,
        WIDTH=width,
        COLUMNS=triton.next_power_of_2(width),
        ROWS=rows,
        ADD=add,
        num_warps=warps,
    )


@triton.jit(do_not_specialize=["count"])
def _norm(
    out,
    total,
    x,
    residual,
    weight,
    count,
    x_outer,
    x_inner,
    residual_outer,
    eps,
    INNER: tl.constexpr,
    WIDTH: tl.constexpr,
    COLUMNS: tl.constexpr,
    ROWS: tl.constexpr,
    ADD: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    columns = tl.arange(0, COLUMNS)
    mask = (row < count)[:, None] & (columns < WIDTH)[None, :]
    kind = out.dtype.element_ty
    source = x + (row // INNER * x_outer + row % INNER * x_inner)[:, None] + columns[None, :]
    target = row[:, None] * WIDTH + columns[None, :]
    wide = tl.load(source, mask=mask, other=0.0).to(tl.float32)
    if ADD:
        other = tl.load(residual + (row * residual_outer)[:, None] + columns[None, :], mask=mask, other=0.0)
        both = (wide + other.to(tl.float32)).to(kind)
        tl.store(total + target, both, mask=mask)
        wide = both.to(tl.float32)
    inverse = 1.0 / tl.sqrt(tl.sum(wide * wide, 1) / WIDTH + eps)
    # Rounded before the weight and after, as the models were trained.
    normed = (wide * inverse[:, None]).to(kind).to(tl.float32)
    scales = tl.load(weight + columns, mask=columns < WIDTH, other=0.0).to(tl.float32)
    tl.store(out + target, (normed * scales[None, :]).to(kind), mask=mask)
