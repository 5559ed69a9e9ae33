"""Spill: steps and gaps on disk as plain integers while a run lasts, because tokens are never expanded.

A step row stands for `iterations` iterations of a lane, each of which gave `decodes` requests one more token: so
many inter-token gaps, in arithmetic progression.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

STEP_COLUMNS = ("instance", "start_ps", "first_ps", "increment_ps", "iterations", "decodes")
CHUNK = 1 << 16


def steps_path(directory: Path) -> Path:
    return directory / "steps.i64"


def gaps_path(directory: Path) -> Path:
    return directory / "gaps.i64"


def read_steps(directory: Path, since_ps: int = 0) -> Iterator[Ints]:
    """Yield step rows [n, 6], only iterations that started at or after `since_ps`."""
    width = len(STEP_COLUMNS)
    for flat in _chunks(steps_path(directory), CHUNK * width):
        rows = flat.reshape(-1, width)
        if rows[:, 1].min() < since_ps:
            rows = _cut(rows, since_ps)
        if len(rows):
            yield rows


def read_gaps(directory: Path) -> Iterator[Ints]:
    """Yield single gaps in picoseconds, [n]. They carry no date."""
    yield from _chunks(gaps_path(directory), CHUNK)


def _chunks(path: Path, count: int) -> Iterator[Ints]:
    with path.open("rb") as file:
        while len(chunk := np.fromfile(file, np.int64, count)):
            yield chunk


def _cut(rows: Ints, since_ps: int) -> Ints:
    """Drop the iterations that started before `since_ps`."""
    _, start, first, increment, iterations, _ = rows.T
    last_start = start + (iterations - 1) * first + increment * ((iterations - 1) * (iterations - 2) // 2)
    kept: Ints = rows[last_start >= since_ps].copy()
    for index in np.flatnonzero(kept[:, 1] < since_ps):
        kept[index] = _cut_row(*(int(value) for value in kept[index]), since_ps=since_ps)
    return kept


def _cut_row(
    instance: int, start: int, first: int, increment: int, iterations: int, decodes: int, *, since_ps: int
) -> tuple[int, ...]:
    """Return the part of one step that started at or after `since_ps`; there is one.

    >>> _cut_row(0, 100, 10, 1, 4, 2, since_ps=111)  # iterations start at 100, 110, 121, 133
    (0, 121, 12, 1, 2, 2)
    """
    low, high = 0, iterations - 1
    while low < high:
        middle = (low + high) // 2
        if start + middle * first + increment * (middle * (middle - 1) // 2) >= since_ps:
            high = middle
        else:
            low = middle + 1
    begin = start + low * first + increment * (low * (low - 1) // 2)
    return instance, begin, first + low * increment, increment, iterations - low, decodes
