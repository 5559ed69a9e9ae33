"""Header: the first line of a CSV file, what is wrong with it, and where the cells of a line are."""

import csv
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import zip_longest

from traces.formats.base import shown


def header_faults(wanted: Sequence[str], line: str) -> list[tuple[int, str]]:
    """Return what is wrong with a header that must be exactly these columns."""
    faults = []
    for index, (name, cell) in enumerate(zip_longest(wanted, cells_of(line))):
        got = cell.strip() if cell is not None else None
        if got is None:
            faults.append((len(line.rstrip()) + 1, f"missing column {name}"))
        elif name is None:
            faults.append((column_of(line, index), f"extra column {shown(got)}"))
        elif got != name:
            faults.append((column_of(line, index), f"column {index + 1} must be {name}, got {shown(got)}"))
    return faults


def missing_faults(wanted: Sequence[str], line: str) -> list[tuple[int, str]]:
    """Return which of these columns a header lacks, or has twice."""
    header = [cell.strip() for cell in cells_of(line)]
    end = len(line.rstrip()) + 1
    faults = []
    for name in wanted:
        if name not in header:
            near = get_close_matches(name, [cell for cell in header if cell not in wanted], n=1, cutoff=0.5)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            faults.append((end, f"missing column {name!r}{hint}; the file has {', '.join(header)}"))
        elif header.count(name) > 1:
            faults.append((column_of(line, header.index(name)), f"column {name!r} is there {header.count(name)} times"))
    return faults


def cells_of(line: str) -> list[str]:
    """Return the cells of a line; none if it is no CSV."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def column_of(line: str, index: int) -> int:
    """Return where the cell at `index` begins, from 1; a quoted comma before it is taken for a cell's end."""
    return sum(len(cell) + 1 for cell in line.split(",")[:index]) + 1
