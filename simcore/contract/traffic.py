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
    """

    at_ps: Column
    prompt_tokens: Column
    output_tokens: Column
    request_class: Column | None = None

    def __len__(self) -> int:
        return len(self.at_ps)


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
    def rate(self) -> float:
        """Mean arrival rate in requests per second, after scaling."""

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the requests in order. Request ids are row numbers, from 0, across all pieces."""
