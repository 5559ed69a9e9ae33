"""Azure: the CSV of the Azure LLM inference traces of 2023 and 2024 (github.com/Azure/AzurePublicDataset).

`TIMESTAMP,ContextTokens,GeneratedTokens`. Times are dates with up to seven decimals (2023) or with six and
`+00:00` (2024, none when they are zero); plain numbers are taken too, as seconds.
"""

import csv
from itertools import zip_longest

from traces import clock
from traces.clock import TimeUnit
from traces.formats.base import BadRow, Columns, Row, shown, token_column, token_fault

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")


class Azure:
    """`traces.formats.base.Format` of the Azure traces."""

    name = "azure"
    layout = f"CSV with the header {','.join(COLUMNS)}"
    time_unit: TimeUnit = "s"
    has_header = True
    block_tokens: int | None = None

    def recognises(self, first_line: str) -> bool:
        known = {name.lower() for name in COLUMNS}
        return len(known.intersection(cell.strip().lower() for cell in _cells(first_line))) >= 2

    def check_header(self, line: str) -> None:
        faults = []
        for index, (wanted, cell) in enumerate(zip_longest(COLUMNS, _cells(line))):
            got = cell.strip() if cell is not None else None
            if got is None:
                faults.append((len(line.rstrip()) + 1, f"missing column {wanted}"))
            elif wanted is None:
                faults.append((_column(line, index), f"extra column {shown(got)}"))
            elif got != wanted:
                faults.append((_column(line, index), f"column {index + 1} must be {wanted}, got {shown(got)}"))
        if faults:
            raise BadRow(faults)

    def columns(self, lines: list[str], unit: TimeUnit) -> Columns:
        try:
            rows = list(csv.reader(lines))
        except csv.Error as error:
            raise ValueError(str(error)) from error
        if len(rows) != len(lines):
            raise ValueError("a quoted line break")
        times, prompts, outputs = zip(*rows, strict=True)
        digits = "".join(prompts) + "".join(outputs)
        if not (digits.isascii() and digits.isdigit()):
            raise ValueError("not all whole numbers")
        if "-" in times[0]:
            second, ps = clock.uniform_dates(times)
        else:
            second, ps = clock.columns_of([clock.instant(time, unit) for time in times])
        n = len(rows)
        return Columns(second, ps, token_column(map(int, prompts), n), token_column(map(int, outputs), n))

    def row(self, line: str, unit: TimeUnit) -> Row:
        cells = _cells(line)
        if len(cells) != len(COLUMNS):
            column = _column(line, 3) if len(cells) > 3 else len(line.rstrip("\r\n")) + 1
            raise BadRow([(column, f"{len(COLUMNS)} cells expected ({','.join(COLUMNS)}), got {len(cells)}")])
        faults = []
        second = ps = 0
        try:
            second, ps = clock.instant(cells[0], unit)
        except ValueError as error:
            faults.append((1, f"{COLUMNS[0]}: {error}, got {shown(cells[0])}"))
        counts = []
        for index in (1, 2):
            text = cells[index].strip()
            if text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 30:
                counts.append(int(text))
                fault = token_fault(COLUMNS[index], counts[-1])
            else:
                fault = f"{COLUMNS[index]}: must be a whole number, got {shown(cells[index])}"
            if fault:
                faults.append((_column(line, index), fault))
        if faults:
            raise BadRow(faults)
        return Row(second, ps, counts[0], counts[1])


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def _column(line: str, index: int) -> int:
    return sum(len(cell) + 1 for cell in line.split(",")[:index]) + 1
