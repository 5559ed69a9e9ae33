"""Ops: the operations a decoder needs, with the shapes of what they take and give.

n: new tokens of an iteration; s: sequences in it; d: a width; h, g: query and KV heads; e: head dimension. A KV layer
is `[blocks, 2, block_tokens, g, e]`: keys, then values; whose block it is, the block tables say.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Plan:
    """Which new tokens belong to which sequence, and where its KV is; one plan serves every layer of an iteration.

    starts: [s + 1] int32, sequence i has the new tokens starts[i] to starts[i + 1] - 1, the last of its context.
    contexts: [s] int32, tokens of sequence i in the KV blocks, the new ones included; 0 for a decode that only fills a
        batch up: its result is 0.
    tables: [s, most blocks] int32, the blocks of sequence i in the order of its tokens; the rest of a row is not read.
    decodes: the first so many sequences have one new token each.
    longest_query, longest_context: maxima over all sequences; of prefills and over all.
    """

    starts: Tensor
    contexts: Tensor
    tables: Tensor
    decodes: int
    longest_query: int
    longest_context: int


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next tokens are chosen; one entry for each row of logits.

    temperature: [n] float32, 0 for the most likely token.
    top_p: [n] float32, in (0, 1]: among the fewest most likely tokens that have this much probability together, and
        those as likely as the last of them.
    seeds: [n] int64 of each request. steps: [n] int64, which token of its request it is: the same seed and step draw
        the same token from the same logits in any batch.
    """

    temperature: Tensor
    top_p: Tensor
    seeds: Tensor
    steps: Tensor


class Ops(Protocol):
    """The operations. Sums are in float32 whatever the dtype; results have the dtype of the first argument."""

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        """Return x [..., d] divided by its root mean square over d, times weight [d]."""

    def add_rms_norm(self, x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        """Return (rms_norm(sum), sum) for sum = x + residual, all [n, d]."""

    def rope_and_store(
        self, q: Tensor, k: Tensor, v: Tensor, table: Tensor, positions: Tensor, slots: Tensor, layer: Tensor
    ) -> Tensor:
        """Rotate q [n, h, e] and k [n, g, e] to their positions, put k and v [n, g, e] into the KV layer; return q.

        table: [positions, e] float32, cosines then sines of each position. positions: [n] int64.
        slots: [n] int64, block x block_tokens + place in it; -1: stored nowhere.
        """

    def attention(self, q: Tensor, layer: Tensor, plan: Plan, scale: float) -> Tensor:
        """Return [n, h, e]: each query of q [n, h, e] over the keys and values at positions up to its own."""

    def silu_mul(self, gate_up: Tensor) -> Tensor:
        """Return silu(gate) x up, [n, d], of [n, 2 d]: gate, then up."""

    def copy_blocks(self, source: Tensor, source_ids: Tensor, target: Tensor, target_ids: Tensor) -> None:
        """Copy blocks [blocks, ...] of one pool to another of the same kind, ids [m] int64; the two do not overlap."""

    def sample(self, logits: Tensor, how: Sampling | None) -> Tensor:
        """Return tokens [n] int64 for logits [n, vocabulary]; None: the most likely ones, the first of equals."""
