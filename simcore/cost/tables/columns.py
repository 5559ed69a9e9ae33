"""Columns: measurements read from CSV or Parquet files as others publish them, checked before they are believed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simcore.cost.tables.table import AXES, LABELS, Label, Table

if TYPE_CHECKING:
    import pandas as pd

_TOLD_APART = 1.5
"""Two measurements of one point further apart than this are not noise, but two things measured."""


def read_columns(path: Path, sizes: Sequence[str], time: str, others: Sequence[str] = ()) -> "pd.DataFrame":
    """Return the rows of a file: whole numbers in the columns `sizes`, times in `time`, and `others` as they are.

    Raises ValueError for an unreadable file, missing columns, sizes that are no whole numbers >= 0, and times that are
    no finite numbers above 0, with the first such row.
    """
    import pandas as pd

    try:
        rows = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from None
    missing = [_missing(name, rows.columns) for name in (*sizes, time, *others) if name not in rows]
    if missing:
        have = ", ".join(map(str, rows.columns))
        raise ValueError(f"{path}: columns are missing: {', '.join(missing)}; the file has {have}")
    if rows.empty:
        raise ValueError(f"{path}: must have rows, got none")
    for name in (*sizes, time):
        numbers = pd.to_numeric(rows[name], errors="coerce").to_numpy(np.float64)
        if name == time:
            bad, rule = ~(np.isfinite(numbers) & (numbers > 0)), "a time above 0"
        else:
            bad, rule = ~((numbers >= 0) & (numbers == np.floor(numbers))), "a whole number >= 0"
        if bad.any():
            row = int(bad.argmax())
            found = rows[name].iloc[row]
            raise ValueError(f"{path}: row {row + 1}: {name} must be {rule}, got {found} ({bad.sum()} such rows)")
        rows[name] = numbers
    return rows[[*sizes, time, *others]]


@dataclass(frozen=True, slots=True)
class Repeats:
    """Points measured more than once: how many, and how far apart their times were, longest over least, less 1."""

    points: int = 0
    median: float = 0.0
    worst: float = 0.0


def tables_of(term: str, rows: "pd.DataFrame", where: object) -> tuple[list[Table], Repeats]:
    """Return the tables in rows that have the axes and labels of `term` as columns, and `seconds`.

    A point measured several times takes the median. Raises ValueError where these are too far apart to be noise, and
    for a table without one complete cell.
    """
    labels, axes = LABELS[term], AXES[term]
    grouped = rows.groupby([*labels, *axes])["seconds"]
    spread = (grouped.max() / grouped.min() - 1)[grouped.size() > 1]
    if len(spread) and spread.max() > _TOLD_APART - 1:
        worst: Any = spread.idxmax()
        names = [*labels, *axes]
        point = dict(zip(names, worst if len(names) > 1 else (worst,), strict=True))
        times = grouped.get_group(worst)
        raise ValueError(
            f"{where}: {term} at {_said(point)} is there more than once, with {times.min() * 1e3:.6g} and "
            f"{times.max() * 1e3:.6g} ms: repeats must be within {_TOLD_APART:g} times of each other "
            f"({int((spread > _TOLD_APART - 1).sum())} such points)"
        )
    points = grouped.median().reset_index()
    tables = [_table(term, part, labels, axes) for _, part in points.groupby(list(labels), sort=True)]
    repeats = Repeats(len(spread), float(spread.median()), float(spread.max())) if len(spread) else Repeats()
    return tables, repeats


def only_value(rows: "pd.DataFrame", column: str, path: Path) -> str:
    """Return the one value a column has. Raises ValueError when it has several: two things in one file."""
    values = sorted(map(str, rows[column].unique()))
    if len(values) != 1:
        raise ValueError(f"{path}: {column} must be the same in all rows, got {', '.join(values)}")
    return values[0]


def checksums(paths: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of each file by its name."""
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in paths}


def _table(term: str, points: "pd.DataFrame", labels: Sequence[str], axes: Sequence[str]) -> Table:
    knots = {name: np.unique(points[name].to_numpy(np.float64)) for name in axes}
    seconds = np.full([len(knot) for knot in knots.values()], np.nan)
    where = tuple(np.searchsorted(knots[name], points[name].to_numpy(np.float64)) for name in axes)
    seconds[where] = points["seconds"].to_numpy(np.float64)
    named = {name: _label(points[name].iloc[0]) for name in labels}
    return Table(term, named, {name: tuple(knot.tolist()) for name, knot in knots.items()}, seconds)


def _label(value: object) -> Label:
    return value if isinstance(value, str) else int(value)  # type: ignore[call-overload]


def _said(point: Mapping[str, object]) -> str:
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in point.items()
    )


def _missing(name: str, have: Iterable[object]) -> str:
    near = get_close_matches(name, list(map(str, have)), n=1)
    return f"{name} (did you mean {near[0]}?)" if near else name
