"""Table: a CSV file with a header, its cells read a column at a time, and cell by cell where one is broken."""

import csv
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation

from simcore.contract.units import PS_PER_S
from traces.conversations.conversation import Fault
from traces.conversations.grouping import Row
from traces.conversations.lines import Lines
from traces.formats.base import MAX_TOKENS, BadRow, shown

MAX_S = 9_000_000
"""104 days: what 63 bits of picoseconds hold."""

_MAX_DATE_S = 5 * 10**9


class Table:
    """The columns `names` of a table, wherever they stand in its header; others are not looked at."""

    def __init__(self, names: Sequence[str], header: str) -> None:
        cells = _cells(header)
        self.width = len(cells)
        self.at = {name: cells.index(name) for name in names}

    def rows(self, lines: Lines, name_of: Callable[[list[str]], str]) -> Iterator[Row]:
        """Yield the lines that are not blank, one row each; `name_of` says whose a row of enough cells is."""
        cells: list[str]
        reader = csv.reader(lines)
        while True:
            fault = None
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                cells, fault = [], f"not CSV: {error}"
            if not cells and fault is None:
                continue
            if fault is None and len(cells) != self.width:
                fault = f"{self.width} cells expected, as in the header, got {len(cells)}"
            place = Fault(lines.number, 1, fault) if fault is not None else None
            name = name_of(cells) if len(cells) > max(self.at.values()) else None
            yield Row(lines.number, lines.begins, lines.ends, lines.text, cells, name, place, lines.part)

    def texts(self, rows: Sequence[Row], name: str) -> list[str]:
        """Return a column as it is written."""
        at = self.at[name]
        return [row.cells[at] for row in rows]

    def tokens(self, rows: Sequence[Row], name: str, faults: list[Fault], least: int = 1) -> list[int]:
        """Return a column of token counts, `least` ... 10^9."""
        return self.whole(rows, name, faults, least, MAX_TOKENS, "tokens")

    def whole(
        self, rows: Sequence[Row], name: str, faults: list[Fault], least: int, most: int, unit: str = ""
    ) -> list[int]:
        """Return a column of whole numbers, `least` ... `most`."""
        texts = self.texts(rows, name)
        joined = "".join(texts)
        if joined.isascii() and joined.isdecimal() and "" not in texts and max(map(len, texts)) < 20:
            values = list(map(int, texts))
            if not values or (min(values) >= least and max(values) <= most):
                return values
        for row, text in zip(rows, texts, strict=True):
            plain = text.strip().removeprefix("-")
            if not (plain.isascii() and plain.isdecimal() and len(plain) < 30):
                faults.append(self._fault(row, name, f"must be a whole number, got {shown(text)}"))
            elif not least <= int(text) <= most:
                rule = f"must be between {least:,} and {most:,} {unit}".rstrip()
                faults.append(self._fault(row, name, f"{rule}, got {shown(text.strip())}"))
        return [_int(text) for text in texts]

    def seconds(self, rows: Sequence[Row], name: str, faults: list[Fault], most: int = MAX_S) -> list[int]:
        """Return a column of times in seconds as whole picoseconds."""
        found = []
        for row in rows:
            text = row.cells[self.at[name]]
            try:
                value = Decimal(text)
                ok = 0 <= value <= most
            except InvalidOperation:  # what is no number, and what cannot be compared with one
                ok = False
            if ok:
                found.append(round(value * PS_PER_S))
            else:
                faults.append(self._fault(row, name, f"must be between 0 and {most:,} seconds, got {shown(text)}"))
                found.append(0)
        return found

    def dates(self, rows: Sequence[Row], name: str, faults: list[Fault]) -> list[int]:
        """Return a column of seconds since 1970 as whole picoseconds."""
        return self.seconds(rows, name, faults, _MAX_DATE_S)

    def rising(
        self, rows: Sequence[Row], name: str, values: Sequence[int], faults: list[Fault], *, equal: bool
    ) -> None:
        """Note where a column does not rise; `equal`: it may also stay."""
        for row, before, value in zip(rows[1:], values, values[1:], strict=False):
            if value < before or (value == before and not equal):
                text = shown(row.cells[self.at[name]])
                rule = "must not be below" if equal else "must be above"
                faults.append(self._fault(row, name, f"{rule} that of the row above it, got {text}"))

    def _fault(self, row: Row, name: str, message: str) -> Fault:
        column = sum(len(cell) + 1 for cell in row.text.split(",")[: self.at[name]]) + 1
        return Fault(row.line, column, f"{name}: {message}")


def recognised(first_line: str, telling: Sequence[str]) -> bool:
    """Whether a header has more than half of the columns that tell a format from the others."""
    cells = set(_cells(first_line))
    return 2 * sum(name in cells for name in telling) > len(telling)


def check_names(line: str, names: Sequence[str]) -> None:
    """Raise BadRow if a header lacks one of these columns, or has it twice."""
    cells = _cells(line)
    faults = [(len(line.rstrip()) + 1, f"missing column {name}") for name in names if name not in cells]
    faults += [(1, f"column {name} stands there twice") for name in names if cells.count(name) > 1]
    if faults:
        raise BadRow(faults)


def _cells(line: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line]), [])]
    except csv.Error:
        return []


def _int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0
