"""Softmax over tiles: what decode and prefill attention share: addresses of a tile of paged KV, and folding it in.

Scores are in base 2: `exp2` is what a GPU has, so the scale that they are multiplied by holds log2(e).
"""

import triton
import triton.language as tl

LOG2_E = 1.4426950408889634


@triton.jit
def places(table, at, inner, inside, block_stride, place_stride, BLOCK_TOKENS: tl.constexpr):
    """Return [tile] int64: where in a KV layer the tokens at + inner stand; both `at` and the tile are whole blocks,
    or the tile is a whole part of a block.

    Split so that a compiler sees what stays the same from tile to tile: blocks and places of `inner`.
    """
    block = tl.load(table + at // BLOCK_TOKENS + inner // BLOCK_TOKENS, mask=inside, other=0).to(tl.int64)
    return block * block_stride + (at % BLOCK_TOKENS + inner % BLOCK_TOKENS) * place_stride


@triton.jit
def fold(sums, total, highest, scores, values):
    """Fold a tile into a softmax: scores [rows, tile] of which each row has one that is finite, or has had one.

    sums: [rows, columns] values so far, weighted by exp2(score - highest). total: [rows], those weights together.
    """
    higher = tl.maximum(highest, tl.max(scores, 1))
    shrink = tl.exp2(highest - higher)
    weights = tl.exp2(scores - higher[:, None])
    sums = sums * shrink[:, None] + tl.dot(weights.to(values.dtype), values, input_precision="ieee")
    return sums, total * shrink + tl.sum(weights, 1), higher
