"""Choose: the token with the highest score of each row; drawn tokens are those whose score has noise added.

A row is cut in pieces that programs read side by side, and a second kernel takes the best of the pieces. With Gumbel
noise the best score is a draw from the softmax; which token wins depends on no sum, and so on no order of summation.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.ops import Sampling

TILE = 4096


def choose(logits: Tensor, how: Sampling | None, cuts: Tensor | None) -> Tensor:
    """Return tokens [n] int64 of logits [n, vocabulary]. cuts: [n] float32, lower logits are not drawn."""
    rows, width = logits.shape
    chosen = torch.empty(rows, dtype=torch.int64, device=logits.device)
    if not rows:
        return chosen
    tile = min(TILE, triton.next_power_of_2(width))
    pieces = triton.cdiv(width, tile)
    scores = torch.empty((rows, pieces), dtype=torch.float32, device=logits.device)
    tokens = torch.empty((rows, pieces), dtype=torch.int32, device=logits.device)
    draws = (logits,) * 4 if how is None else (how.temperature, cuts, how.seeds, how.steps)
    _best_of_piece[rows, pieces](
        scores, tokens, logits, *draws, logits.stride(0), width, DRAWN=how is not None, TILE=tile, num_warps=8
    )
    _best_of_row[(rows,)](chosen, scores, tokens, PIECES=pieces, COLUMNS=triton.next_power_of_2(pieces), num_warps=1)
    return chosen


@triton.jit
def _best_of_piece(
    scores,
    tokens,
    logits,
    temperature,
    cuts,
    seeds,
    steps,
    row_stride,
    width,
    DRAWN: tl.constexpr,
    TILE: tl.constexpr,
):
    row, piece = tl.program_id(0).to(tl.int64), tl.program_id(1)
    token = piece * TILE + tl.arange(0, TILE)
    score = tl.load(logits + row * row_stride + token, mask=token < width, other=float("-inf")).to(tl.float32)
    if DRAWN:
        heat = tl.load(temperature + row)
        if heat > 0:
            noise = _gumbel(tl.load(seeds + row), tl.load(steps + row), token)
            noisy = score / tl.maximum(heat, 1e-6) + noise
            score = tl.where(score >= tl.load(cuts + row), noisy, float("-inf"))
    best, place = tl.max(score, 0, return_indices=True)
    slot = row * tl.num_programs(1) + piece
    tl.store(scores + slot, best)
    tl.store(tokens + slot, piece * TILE + place)


@triton.jit
def _best_of_row(chosen, scores, tokens, PIECES: tl.constexpr, COLUMNS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    piece = tl.arange(0, COLUMNS)
    score = tl.load(scores + row * PIECES + piece, mask=piece < PIECES, other=float("-inf"))
    _, best = tl.max(score, 0, return_indices=True)
    tl.store(chosen + row, tl.load(tokens + row * PIECES + best).to(tl.int64))


@triton.jit
def _gumbel(seed, step, token):
    """Return noise [tile] of `kernels.noise.gumbel`."""
    key = _mixed(seed.to(tl.uint64) * 0x9E3779B97F4A7C15 + step.to(tl.uint64) * 0xD1B54A32D192ED03)
    drawn = _mixed(key + (token + 1).to(tl.uint64) * 0x9E3779B97F4A7C15) >> 11
    uniform = tl.minimum((drawn.to(tl.float32) + 0.5) * 1.1102230246251565e-16, 0.99999994)
    # The winner has a small exponential, and near 0 log(1 - uniform) has no digits left: its series does.
    series = uniform * (1.0 + uniform * (0.5 + uniform * (1.0 / 3.0)))
    return -tl.log(tl.where(uniform < 0.01, series, -tl.log(1.0 - uniform)))


@triton.jit
def _mixed(x):
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB
    return x ^ (x >> 31)
