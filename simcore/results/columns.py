"""Request columns: the requests of one cell that count, a few columns and a row group at a time."""

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.contract import to_ps
from simcore.results.arrays import codes, numbers
from simcore.results.parquet import ROW_GROUP, row_count, row_groups
from simcore.results.schema import STATES, State

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
    """Reads `requests.parquet` of a cell. Requests of the warm-up are left out everywhere.

    A column of a file of one row group is read once and kept.
    """

    def __init__(self, directory: Path, warm_up: WarmUp) -> None:
        self._path = directory / "requests.parquet"
        self._warm_up = warm_up
        self._kept: dict[str, Values] | None = {} if row_count(self._path) <= ROW_GROUP else None

    def with_warm_up(self) -> "RequestColumns":
        """Return the same requests and those of the warm-up."""
        whole = copy(self)
        whole._warm_up = WarmUp()
        return whole

    def pieces(self, *names: str, state: State | None = "finished") -> Iterator[list[Values]]:
        """Yield the columns `names` of the requests in `state` (None: any), a row group at a time.

        A null is -1 in a column of integers and NaN in a column of floats.
        """
        for columns in self._read(dict.fromkeys([*names, "state", "arrival_ps", "request"])):
            counted = columns["arrival_ps"] >= to_ps(self._warm_up.seconds)
            counted &= columns["request"] >= self._warm_up.requests
            if state is not None:
                counted &= columns["state"] == STATES.index(state)
            if counted.any():
                yield [columns[name][counted] for name in names]

    def seconds(self, name: str) -> NDArray[np.float64]:
        """Return one column of floats of all finished requests, nulls left out; a fresh array."""
        values = np.empty(row_count(self._path))
        filled = 0
        for (piece,) in self.pieces(name):
            known = piece[~np.isnan(piece)]
            values[filled : filled + len(known)] = known
            filled += len(known)
        return values[:filled]

    def _read(self, names: Iterable[str]) -> Iterator[Mapping[str, Values]]:
        """Yield columns by name, at least `names`, a row group at a time; states as indices into `STATES`."""
        if self._kept is None:
            yield from map(_decoded, row_groups(self._path, list(names)))
            return
        missing = [name for name in names if name not in self._kept]
        for table in row_groups(self._path, missing) if missing else ():
            self._kept |= _decoded(table)
        if self._kept:
            yield self._kept


def _decoded(table: Any) -> dict[str, Values]:
    return {
        name: codes(table.column(name), STATES) if name == "state" else numbers(table.column(name))
        for name in table.column_names
    }
