"""Cases: drawn tensors of a shape: what tests and timings give to attention."""

from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from kernels.ops import Plan
from kernels.shapes import Batch, Model

NO_BLOCK = 2**31 - 1
"""What fills up the rows of block tables: whoever reads such a block reads far outside of every pool."""


@dataclass(frozen=True, slots=True)
class Case:
    """Arguments of `kernels.ops.Ops.attention`."""

    q: Tensor
    layer: Tensor
    plan: Plan
    scale: float


def draw(
    model: Model,
    batch: Batch,
    *,
    dtype: torch.dtype,
    device: torch.device,
    block_tokens: int = 16,
    layers: int = 1,
    seed: int = 0,
) -> Case:
    """Return normal queries, keys and values; the layer is the last of a block-major pool.

    The blocks of a sequence are anywhere in the pool. Drawn in `dtype`: other dtypes have other numbers.
    """
    generator = torch.Generator(device).manual_seed(seed)
    counts = [-(-context // block_tokens) for _, context in batch.sequences]

    def normal(*size: int) -> Tensor:
        return torch.randn(size, generator=generator, dtype=dtype, device=device)

    pool = normal(sum(counts), layers, 2, block_tokens, model.kv_heads, model.head_dim)
    q = normal(batch.tokens, model.heads, model.head_dim)
    return Case(q, pool[:, layers - 1], _plan(batch, counts, generator, device), model.head_dim**-0.5)


def _plan(batch: Batch, counts: list[int], generator: torch.Generator, device: torch.device) -> Plan:
    order = torch.randperm(sum(counts), generator=generator, device=device).to(torch.int32)
    tables = torch.full((len(counts), max(counts)), NO_BLOCK, dtype=torch.int32, device=device)
    for row, (count, end) in enumerate(zip(counts, accumulate(counts), strict=True)):
        tables[row, :count] = order[end - count : end]

    def int32(values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int32, device=device)

    return Plan(
        starts=int32([0, *accumulate(new for new, _ in batch.sequences)]),
        contexts=int32([context for _, context in batch.sequences]),
        tables=tables,
        decodes=batch.decodes,
        longest_query=max((new for new, _ in batch.sequences[batch.decodes :]), default=0),
        longest_context=max(context for _, context in batch.sequences),
    )
