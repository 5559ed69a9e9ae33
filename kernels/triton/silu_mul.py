"""SiLU times up: the activation of a gated feed-forward layer, over the packed product of gate and up."""

import torch
import triton
import triton.language as tl
from torch import Tensor

TILE = 2048


def activate(gate_up: Tensor) -> Tensor:
    """Return silu(gate) x up [n, d] of [n, 2 d]."""
    tokens, width = gate_up.shape[0], gate_up.shape[1] // 2
    out = torch.empty((tokens, width), dtype=gate_up.dtype, device=gate_up.device)
    if tokens:
        tile = min(TILE, triton.next_power_of_2(width))
        _activate[tokens, triton.cdiv(width, tile)](out, gate_up, gate_up.stride(0), WIDTH=width, TILE=tile)
    return out


@triton.jit
def _activate(out, gate_up, row_stride, WIDTH: tl.constexpr, TILE: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * TILE + tl.arange(0, TILE)
    mask = columns < WIDTH
    gate = tl.load(gate_up + token * row_stride + columns, mask=mask, other=0.0).to(tl.float32)
    up = tl.load(gate_up + token * row_stride + WIDTH + columns, mask=mask, other=0.0).to(tl.float32)
    kind = out.dtype.element_ty
    # Rounded before the product and after, as two operations would.
    activated = (gate / (1.0 + tl.exp(-gate))).to(kind).to(tl.float32)
    tl.store(out + token * WIDTH + columns, (activated * up).to(kind), mask=mask)
