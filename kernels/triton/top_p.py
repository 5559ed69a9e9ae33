"""Top-p: the lowest logit that is still drawn from, found by bisection, without sorting a row.

The tokens at or above a logit have a probability together; the cut is the highest logit at which that reaches top_p.
Between two floats there are as many others as between the integers that their bits are, so bisection ends after as
many passes as a logit has bits that matter: 16 in bfloat16.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.ops import Sampling

TILE = 4096
UNUSED_BITS = {torch.float32: 0, torch.float16: 13, torch.bfloat16: 16}
"""Low bits of a float32 that are the same in all floats of a narrower kind."""


def cuts_of(logits: Tensor, how: Sampling) -> Tensor:
    """Return [n] float32: of each row of logits, lower ones are not drawn; -inf where all are, or none is."""
    cuts = torch.empty(logits.shape[0], dtype=torch.float32, device=logits.device)
    if logits.shape[0]:
        width = logits.shape[1]
        _cut_of_row[(logits.shape[0],)](
            cuts,
            logits,
            how.temperature,
            how.top_p,
            logits.stride(0),
            width,
            UNUSED=UNUSED_BITS[logits.dtype],
            TILE=min(TILE, triton.next_power_of_2(width)),
            num_warps=8,
        )
    return cuts


@triton.jit
def _cut_of_row(cuts, logits, temperature, top_p, row_stride, width, UNUSED: tl.constexpr, TILE: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    heat, share = tl.load(temperature + row), tl.load(top_p + row)
    if (heat <= 0) | (share >= 1):
        tl.store(cuts + row, float("-inf"))
        return
    heat = tl.maximum(heat, 1e-6)
    source = logits + row * row_stride
    token = tl.arange(0, TILE)
    tops = tl.full([TILE], float("-inf"), tl.float32)
    for at in range(0, width, TILE):
        logit = tl.load(source + at + token, mask=at + token < width, other=float("-inf"))
        tops = tl.maximum(tops, logit.to(tl.float32))
    highest = tl.max(tops, 0)
    wanted = share * _mass(source, float("-inf"), highest, heat, width, TILE)
    # Below, exp is 0 in float32.
    low = _ordered(highest - 104.0 * heat) >> UNUSED
    high = (_ordered(highest) >> UNUSED) + 1
    while low + 1 < high:
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        enough = _mass(source, _float_of(middle << UNUSED), highest, heat, width, TILE) >= wanted
        low = tl.where(enough, middle, low)
        high = tl.where(enough, high, middle)
    tl.store(cuts + row, _float_of(low << UNUSED))


@triton.jit
def _mass(source, cut, highest, heat, width, TILE: tl.constexpr):
    """Return the sum of exp((logit - highest) / heat) over the logits of a row that are not below a cut."""
    token = tl.arange(0, TILE)
    sums = tl.zeros([TILE], tl.float32)
    for at in range(0, width, TILE):
        logit = tl.load(source + at + token, mask=at + token < width, other=float("-inf")).to(tl.float32)
        sums += tl.where(logit >= cut, tl.exp((logit - highest) / heat), 0.0)
    return tl.sum(sums, 0)


@triton.jit
def _ordered(x):
    """Return the int32 whose order among others is that of a float32."""
    bits = x.to(tl.int32, bitcast=True)
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


@triton.jit
def _float_of(ordered):
    return (ordered ^ ((ordered >> 31) & 0x7FFFFFFF)).to(tl.float32, bitcast=True)
