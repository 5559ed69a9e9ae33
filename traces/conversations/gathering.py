"""Gathering: conversations as columns, all turns of each below each other, still without arrival and number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from simcore.contract.traffic import Arrivals, Column, Heads
from traces import pieces
from traces.conversations.conversation import SHARED, Conversation

_PER_CONVERSATION = 1 << 20
"""Keys and streams a conversation has to itself: more than its turns can need."""


@dataclass(frozen=True, eq=False)
class Gathered:
    """Some conversations: their turns as requests that arrive at 0 and are of no program yet.

    turns: [c] how many each has.
    """

    requests: Arrivals
    turns: Column

    def taken(self, order: Column) -> "Gathered":
        """Return the conversations at these indices, in this order."""
        starts = np.cumsum(self.turns) - self.turns
        turns = self.turns[order]
        rows = _ranges(starts[order], turns)
        cut = {name: column[rows] for name, column in pieces.columns_of(self.requests)}
        head = _rows_of(self.requests.head, rows) if self.requests.head is not None else None
        return Gathered(replace(self.requests, **cut, head=head), turns)


def gathered(conversations: Sequence[Conversation], first: int, tools: Mapping[str, int]) -> Gathered:
    """Return conversations, the first of which is number `first` of its file: keys and streams go by these numbers."""
    turns = np.array([len(each) for each in conversations], np.int64)
    n = int(turns.sum())
    own = np.repeat(np.arange(first, first + len(turns), dtype=np.int64), turns) * _PER_CONVERSATION
    known = bool(conversations[0].prompt_tokens)
    streams = _column([each.streams for each in conversations]) if known else None
    called = np.array([tools[tool] if tool else -1 for each in conversations for tool in each.tools], np.int64)
    return Gathered(
        Arrivals(
            np.zeros(n, np.int64),
            _column([each.prompt_tokens for each in conversations]) if known else np.ones(n, np.int64),
            _column([each.output_tokens for each in conversations]),
            turn=_ranges(np.zeros(len(turns), np.int64), turns) if known else None,
            gap_ps=_column([each.gap_ps for each in conversations]) if known else None,
            tool=called if tools else None,
            stream=np.where(streams >= 0, streams + own, -1) if streams is not None else None,
            head=_heads(conversations, own) if conversations[0].heads else None,
        ),
        turns,
    )


def joined(parts: Sequence[Gathered]) -> Gathered:
    """Return the conversations of all parts."""
    if len(parts) == 1:
        return parts[0]
    return Gathered(pieces.joined([part.requests for part in parts]), np.concatenate([part.turns for part in parts]))


def _heads(conversations: Sequence[Conversation], own: Column) -> Heads:
    rows = [head for each in conversations for head in each.heads]
    counts = np.array(list(map(len, rows)), np.int64)
    flat = np.array(list(chain.from_iterable(rows)), np.int64).reshape(-1, 2)
    keys = np.where(flat[:, 0] < SHARED, flat[:, 0] + np.repeat(own, counts), flat[:, 0])
    return Heads(np.concatenate(([0], np.cumsum(counts))), keys, np.ascontiguousarray(flat[:, 1]))


def _rows_of(heads: Heads, rows: Column) -> Heads:
    counts = np.diff(heads.offsets)[rows]
    segments = _ranges(heads.offsets[rows], counts)
    return Heads(np.concatenate(([0], np.cumsum(counts))), heads.keys[segments], heads.ends[segments])


def _ranges(starts: Column, counts: Column) -> Column:
    """Return starts[0], starts[0] + 1, ... (counts[0] numbers), starts[1], ...

    >>> _ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    before = np.cumsum(counts) - counts
    numbers: Column = np.arange(int(counts.sum()), dtype=np.int64) + np.repeat(starts - before, counts)
    return numbers


def _column(parts: Sequence[list[int]]) -> Column:
    return np.array(list(chain.from_iterable(parts)), np.int64)
