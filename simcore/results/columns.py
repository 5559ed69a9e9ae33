"""Request columns: the requests of one cell that count, a few columns and a row group at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.contract import to_ps
from simcore.results.arrays import equals, numbers
from simcore.results.parquet import row_count, row_groups
from simcore.results.schema import State

Values = NDArray[Any]


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Which requests are too early to count: those that arrive before `seconds`, and the first `requests`."""

    seconds: float = 0.0
    requests: int = 0

    def __post_init__(self) -> None:
        if self.seconds < 0:
            raise ValueError(f"warm_up seconds must be >= 0, got {self.seconds}")
        if self.requests < 0:
            raise ValueError(f"warm_up requests must be >= 0, got {self.requests}")


class RequestColumns:
    """Reads `requests.parquet` of a cell. Requests of the warm-up are left out everywhere."""

    def __init__(self, directory: Path, warm_up: WarmUp) -> None:
        self._path = directory / "requests.parquet"
        self._warm_up = warm_up

    def pieces(self, *names: str, state: State | None = "finished") -> Iterator[list[Values]]:
        """Yield the columns `names` of the requests in `state` (None: any), a row group at a time.

        A null is -1 in a column of integers and NaN in a column of floats.
        """
        filters = ["state", "arrival_ps", "request"]
        for table in row_groups(self._path, list(dict.fromkeys([*names, *filters]))):
            kept = numbers(table.column("arrival_ps")) >= to_ps(self._warm_up.seconds)
            kept &= numbers(table.column("request")) >= self._warm_up.requests
            if state is not None:
                kept &= equals(table.column("state"), state)
            if kept.any():
                yield [numbers(table.column(name))[kept] for name in names]

    def seconds(self, name: str) -> NDArray[np.float64]:
        """Return one column of floats of all finished requests, nulls left out; a fresh array."""
        values = np.empty(row_count(self._path))
        filled = 0
        for (piece,) in self.pieces(name):
            known = piece[~np.isnan(piece)]
            values[filled : filled + len(known)] = known
            filled += len(known)
        return values[:filled]
