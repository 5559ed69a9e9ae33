"""Traffic: how requests reach a backend, as columns in arrival order.

A workload is read in pieces, so ten million requests never stand in memory at once. Both backends and all
readers and generators in `traces/` meet here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Consecutive requests, in arrival order; all columns have the same length n.

    at_ps: [n] int64, picoseconds since the start of the workload, non-decreasing, also across pieces.
    prompt_tokens: [n] int64, >= 1.
    output_tokens: [n] int64, >= 1: the true length, hidden from policies.
    request_class: [n] int64 index into `Workload.classes`, or None when there is one class.
    program: [n] int64 >= 0, the session or agent program a request is a turn of, -1: none; or None.
    turn: [n] int64, number of the turn in its program, from 0; turns are consecutive rows, in order, of one piece.
        Only turn 0 arrives at `at_ps` (which its later turns repeat): each later one arrives `gap_ps` after the one
        before it has ended. If a turn does not finish, its program's later turns never arrive.
    gap_ps: [n] int64 >= 0, think or tool time before a turn > 0.
    tool: [n] int64 index into `Workload.tools` of what a turn ends in, -1: nothing; or None.
    stream: [n] int64 >= 0, prompts of one stream extend each other: the tokens at equal positions are equal, and what
        a request generates goes on in it; -1: a stream of its own. None: the program's, or one of its own.
    head: what the prompts begin with before their stream does, or None.
    cancel_ps: [n] int64, the client gives the request up so long after its arrival, -1: never; or None.
    group: [n] int64 >= 0, the rollout group a request is a sample of, -1: none; or None. The samples of a group are
        consecutive rows of one piece, which arrive together and have the same prompt.
    """

    at_ps: Column
    prompt_tokens: Column
    output_tokens: Column
    request_class: Column | None = None
    program: Column | None = None
    turn: Column | None = None
    gap_ps: Column | None = None
    tool: Column | None = None
    stream: Column | None = None
    head: "Heads | None" = None
    cancel_ps: Column | None = None
    group: Column | None = None

    def __len__(self) -> int:
        return len(self.at_ps)


@dataclass(frozen=True, slots=True)
class Heads:
    """Shared beginnings of prompts, in segments: two prompts share their tokens as far as their segments are equal.

    Row i has the segments `offsets[i]` to `offsets[i + 1]`; segment j holds the tokens of the prompt from the end of
    the one before it up to `ends[j]`, and equal `keys` behind equal beginnings are equal tokens.

    offsets: [n + 1] int64, from 0, non-decreasing.
    keys: [m] int64, >= 0.
    ends: [m] int64, increasing within a row, at most the prompt's length.
    """

    offsets: Column
    keys: Column
    ends: Column


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client waits, picoseconds since arrival, before it gives a request up; None: for ever."""

    first_token_ps: int | None = None
    end_ps: int | None = None


class Workload(Protocol):
    """A source of requests. Reading it twice gives the same requests."""

    @property
    def name(self) -> str: ...
    @property
    def source(self) -> str:
        """Where the numbers come from: a file with its hash, or a fit with its citation."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the request classes, by index; ("default",) when there is one."""

    @property
    def priorities(self) -> tuple[int, ...]:
        """Priority of each class; lower is more urgent."""

    @property
    def tools(self) -> tuple[str, ...]:
        """Names of the tools that turns end in, by index."""

    @property
    def patience(self) -> tuple[Patience, ...]:
        """Of each class; empty: nobody ever gives up but as `Arrivals.cancel_ps` says."""

    @property
    def rate(self) -> float:
        """Mean arrival rate in requests per second, after scaling; of programs, where requests are turns."""

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the requests in order. Request ids are row numbers, from 0, across all pieces."""
