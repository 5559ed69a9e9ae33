"""Step: one iteration as tensors: which tokens stand where, where their KV goes, whose next token is wanted.

It is counted together on the host, in a few arrays however many requests there are, and sent to the device at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kernels.ops import Plan
from realbackend.device import Device
from realbackend.work import AHEAD, Work

Ints = NDArray[np.int32]
NOTHING: Mapping[int, int] = MappingProxyType({})


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


class Numbers(NamedTuple):
    """The same on the host, but for the tables; all int32.

    feeds: [n], for each token its place among those that came out of the last iteration, -1 if it is known.
    decodes: the first so many requests have one new token each.
    """

    tokens: Ints
    feeds: Ints
    positions: Ints
    slots: Ints
    rows: Ints
    starts: Ints
    contexts: Ints
    decodes: int
    longest_query: int
    longest_context: int

    @property
    def all_decode(self) -> bool:
        """Every request has one new token, and gets the next."""
        return self.decodes == len(self.contexts) == len(self.rows)


def numbers_of(work: list[Work], block_tokens: int, came: Mapping[int, int] = NOTHING) -> Numbers:
    """Return an iteration as arrays; `work` in the order of the lane, decodes first.

    came: place, by request, of the tokens that came out of the last iteration, for those that are `AHEAD`.
    """
    lengths = [len(each.tokens) for each in work]
    decodes = next((i for i, length in enumerate(lengths) if length > 1), len(work))
    ahead = work[:decodes]
    positions = np.array([each.start for each in ahead], np.int32)
    blocks = np.array([each.blocks[each.start // block_tokens] for each in ahead], np.int32)
    tokens = np.array([each.tokens[0] for each in ahead], np.int32)
    feeds = np.full(len(tokens), -1, np.int32)
    if (tokens == AHEAD).any():
        feeds = np.array([came[each.request] if each.tokens[0] == AHEAD else -1 for each in ahead], np.int32)
        tokens[feeds >= 0] = 0
    slots = blocks * block_tokens + positions % block_tokens
    contexts, starts = positions + 1, np.arange(decodes + 1, dtype=np.int32)
    if decodes < len(work):
        prompts = [_prompt(each, block_tokens) for each in work[decodes:]]
        tokens, positions, slots = (
            np.concatenate([first, *rest]) for first, *rest in zip((tokens, positions, slots), *prompts, strict=True)
        )
        feeds = np.concatenate([feeds, np.full(len(tokens) - decodes, -1, np.int32)])
        contexts = np.array([each.start + length for each, length in zip(work, lengths, strict=True)], np.int32)
        starts = np.fromiter(accumulate(lengths, initial=0), np.int32, len(work) + 1)
    gives = np.fromiter((each.gives for each in work), np.bool_, len(work))
    return Numbers(
        tokens,
        feeds,
        positions,
        slots,
        starts[1:][gives] - 1,
        starts,
        contexts,
        decodes,
        max(lengths[decodes:], default=0),
        int(contexts.max()),
    )


def step_on(device: Device, numbers: Numbers, tables: Tensor, latest: Tensor | None = None) -> Step:
    """Return an iteration as tensors on a device.

    tables: [s, most blocks] int32, for each request. latest: the tokens [*] int64 that came out of the last iteration.
    """
    arrays = numbers[:7]
    sent = device.upload(np.concatenate(arrays)).split([len(array) for array in arrays])
    tokens, feeds, positions, slots, rows, starts, contexts = sent
    known = tokens.long()
    if latest is not None and (numbers.feeds >= 0).any():
        known = fed(known, feeds.long(), latest)
    plan = Plan(starts, contexts, tables, numbers.decodes, numbers.longest_query, numbers.longest_context)
    return Step(known, positions.long(), slots.long(), plan, rows.long())


def fed(tokens: Tensor, feeds: Tensor, latest: Tensor) -> Tensor:
    """Return tokens [n], those with a place in `feeds` [n] from there in `latest`; all int64."""
    return torch.where(feeds < 0, tokens, latest.index_select(0, feeds.clamp(min=0)))


def step_of(work: list[Work], block_tokens: int, device: torch.device) -> Step:
    """Return an iteration as tensors, alone: with tables that are made for it."""
    width = max(len(each.blocks) for each in work)
    tables = torch.tensor([each.blocks + [0] * (width - len(each.blocks)) for each in work], dtype=torch.int32)
    return step_on(Device(device), numbers_of(work, block_tokens), tables.to(device))


def _prompt(work: Work, block_tokens: int) -> tuple[Ints, Ints, Ints]:
    """Return tokens, positions and slots of a chunk."""
    positions = np.arange(work.start, work.start + len(work.tokens), dtype=np.int32)
    blocks = np.array(work.blocks, np.int32)[positions // block_tokens]
    return np.array(work.tokens, np.int32), positions, blocks * block_tokens + positions % block_tokens
