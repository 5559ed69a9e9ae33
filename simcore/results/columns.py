"""Request columns: the requests of one cell that count, a few columns and a row group at a time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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

    A column of a file of one row group is read once and kept. `request_class` is the index in `classes`.
    """

    def __init__(self, directory: Path, warm_up: WarmUp, classes: Sequence[str] = ("default",)) -> None:
        self._path = directory / "requests.parquet"
        self._warm_up = warm_up
        self._texts = {"state": STATES, "request_class": tuple(classes)}
        self._class: int | None = None
        self._kept: dict[str, Values] | None = {} if row_count(self._path) <= ROW_GROUP else None

    def with_warm_up(self) -> "RequestColumns":
        """Return the same requests and those of the warm-up."""
        whole = copy(self)
        whole._warm_up = WarmUp()
        return whole

    def of_class(self, index: int) -> "RequestColumns":
        """Return the requests of one class."""
        part = copy(self)
        part._class = index
        return part

    def pieces(self, *names: str, state: State | None = "finished") -> Iterator[list[Values]]:
        """Yield the columns `names` of the requests in `state` (None: any), a row group at a time.

        A null is -1 in a column of integers and NaN in a column of floats.
        """
        told_by = ("state", "arrival_ps", "request", *(("request_class",) if self._class is not None else ()))
        for columns in self._read(dict.fromkeys([*names, *told_by])):
            counted = columns["arrival_ps"] >= to_ps(self._warm_up.seconds)
            counted &= columns["request"] >= self._warm_up.requests
            if state is not None:
                counted &= columns["state"] == STATES.index(state)
            if self._class is not None:
                counted &= columns["request_class"] == self._class
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
        """Yield columns by name, at least `names`, a row group at a time; names as indices."""
        if self._kept is None:
            yield from map(self._decoded, row_groups(self._path, list(names)))
            return
        missing = [name for name in names if name not in self._kept]
        for table in row_groups(self._path, missing) if missing else ():
            self._kept |= self._decoded(table)
        if self._kept:
            yield self._kept

    def _decoded(self, table: Any) -> dict[str, Values]:
        return {
            name: codes(table.column(name), self._texts[name]) if name in self._texts else numbers(table.column(name))
            for name in table.column_names
        }
