"""Step: one iteration as tensors: which tokens stand where, where their KV goes, whose next token is wanted."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kernels.ops import Plan
from realbackend.work import Work


@dataclass(frozen=True, slots=True)
class Step:
    """What a decoder computes at once. Decodes stand first.

    tokens: [n] int64. positions: [n] int64. slots: [n] int64, where their KV goes: block x block_tokens + place in it.
    plan: whose they are. rows: [m] int64, the tokens behind which a new one comes out.
    """

    tokens: Tensor
    positions: Tensor
    slots: Tensor
    plan: Plan
    rows: Tensor


def step_of(work: list[Work], block_tokens: int, device: torch.device) -> Step:
    """Return an iteration as tensors; `work` in the order of the lane, decodes first."""
    tokens: list[int] = []
    positions: list[int] = []
    slots: list[int] = []
    starts, contexts, rows = [0], [], []
    decodes = longest_query = 0
    for each in work:
        end = each.start + len(each.tokens)
        tokens += each.tokens
        positions += range(each.start, end)
        slots += [each.blocks[p // block_tokens] * block_tokens + p % block_tokens for p in range(each.start, end)]
        starts.append(len(tokens))
        contexts.append(end)
        if each.gives:
            rows.append(len(tokens) - 1)
        if len(each.tokens) == 1 and decodes == len(contexts) - 1:
            decodes += 1
        else:
            longest_query = max(longest_query, len(each.tokens))
    width = max(len(each.blocks) for each in work)
    tables = torch.zeros((len(work), width), dtype=torch.int32)
    for row, each in enumerate(work):
        tables[row, : len(each.blocks)] = torch.tensor(each.blocks, dtype=torch.int32)
    plan = Plan(
        starts=torch.tensor(starts, dtype=torch.int32, device=device),
        contexts=torch.tensor(contexts, dtype=torch.int32, device=device),
        tables=tables.to(device),
        decodes=decodes,
        longest_query=longest_query,
        longest_context=max(contexts),
    )

    def long(values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=device)

    return Step(long(tokens), long(positions), long(slots), plan, long(rows))
