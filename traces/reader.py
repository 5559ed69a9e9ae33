"""Reader: a trace file as pieces of checked requests, in constant memory.

Every row is validated. Reading goes on past a broken row only to look for more problems: what is wrong with a
file is said at once, up to a limit, as `file:line:col: message`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

import numpy as np

from simcore.contract.traffic import Arrivals, Column
from simcore.contract.units import PS_PER_S, to_s
from traces import formats
from traces.clock import TimeUnit
from traces.files import DAMAGE, open_text
from traces.formats import BadRow, Columns, Format
from traces.problems import Problems

PIECE_ROWS = 8192
MAX_SPAN_S = 9_000_000
"""104 days: what 63 bits of picoseconds hold."""
_MAX_LINE = 1 << 20


@dataclass
class Reader:
    """One way to read one file: `format` and `time_unit` None are found from the first line.

    rows: read only the first `rows` rows; what follows is not looked at.
    """

    path: Path
    format: Format | None = None
    time_unit: TimeUnit | None = None
    rows: int | None = None
    first_second: int = 0
    """Of the first row, in the file's own count; set by reading."""

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the requests, times relative to the first row; TraceError once problems were found."""
        problems = Problems(self.path)
        try:
            with open_text(self.path) as text:
                yield from self._pieces(text, problems)
        except FileNotFoundError:
            problems.add(1, 1, "no such file")
        except IsADirectoryError:
            problems.add(1, 1, "this is a directory, not a trace file")
        except PermissionError:
            problems.add(1, 1, "no permission to read this file")
        if problems.found:
            raise problems.error()

    def _pieces(self, text: TextIO, problems: Problems) -> Iterator[Arrivals]:
        try:
            first_line = text.readline(_MAX_LINE)
        except DAMAGE as error:
            problems.add(1, 1, _damage(error))
            return
        if not first_line.strip():
            problems.add(1, 1, "the file is empty" if not first_line else "the first line is blank")
            return
        try:
            self.format = formats.of_file(first_line, self.format)
            if self.format.has_header:
                self.format.check_header(first_line)
        except BadRow as bad:
            for column, message in bad.faults:
                problems.add(1, column, message)
            return
        except ValueError as error:
            problems.add(1, 1, str(error))
            return
        self.time_unit = self.time_unit or self.format.time_unit
        if self.format.has_header:
            yield from self._rows(iter(text), 2, problems)
        else:
            yield from self._rows(chain([first_line], text), 1, problems)

    def _rows(self, lines: Iterator[str], line: int, problems: Problems) -> Iterator[Arrivals]:
        origin: tuple[int, int] | None = None
        last_ps = 0
        read = 0
        while self.rows is None or read < self.rows:
            size = PIECE_ROWS if self.rows is None else min(PIECE_ROWS, self.rows - read)
            piece: list[str] = []
            damage = None
            try:
                piece.extend(islice(lines, size))
            except DAMAGE as error:
                damage = error
            numbers, columns = self._convert(piece, line, problems)
            line += len(piece)
            read += len(numbers)
            if len(numbers):
                if origin is None:
                    origin = int(columns.second[0]), int(columns.ps[0])
                    self.first_second = origin[0]
                at_ps = _since(origin, columns, numbers, problems)
                _check_order(last_ps, at_ps, numbers, problems)
                last_ps = max(last_ps, int(at_ps[-1]))
                if not problems.found:
                    yield Arrivals(at_ps, columns.prompt_tokens, columns.output_tokens, head=columns.head)
            if damage:
                problems.add(line, 1, _damage(damage))
                return
            if len(piece) < size:
                break
        if not read and not problems.found:
            problems.add(line, 1, "the file has no rows")

    def _convert(self, piece: list[str], line: int, problems: Problems) -> tuple[Column, Columns]:
        """Return the line numbers of the good rows of a piece, and their columns."""
        assert self.format is not None
        assert self.time_unit is not None
        if piece:
            try:
                return np.arange(line, line + len(piece)), self.format.columns(piece, self.time_unit)
            except ValueError:
                pass  # some row is unusual or broken: the loop below finds which
        numbers, rows = [], []
        for number, text in enumerate(piece, start=line):
            if not text.strip():
                continue
            try:
                rows.append(self.format.row(text, self.time_unit))
                numbers.append(number)
            except BadRow as bad:
                for column, message in bad.faults:
                    problems.add(number, column, message)
        return np.array(numbers, dtype=np.int64), Columns.of(rows, self.format.block_tokens)


def _since(origin: tuple[int, int], columns: Columns, numbers: Column, problems: Problems) -> Column:
    seconds = columns.second - origin[0]
    for index in np.flatnonzero(abs(seconds) > MAX_SPAN_S):
        problems.add(int(numbers[index]), 1, f"more than {MAX_SPAN_S:,} s away from the first row")
    return seconds.clip(-MAX_SPAN_S, MAX_SPAN_S) * PS_PER_S + (columns.ps - origin[1])


def _check_order(last_ps: int, at_ps: Column, numbers: Column, problems: Problems) -> None:
    before = np.concatenate(([last_ps], at_ps[:-1]))
    for index in np.flatnonzero(at_ps < before):
        back_s = to_s(int(before[index] - at_ps[index]))
        problems.add(int(numbers[index]), 1, f"time goes backwards: {back_s:g} s before the row above it")


def _damage(error: Exception) -> str:
    return f"the file is truncated or damaged here: {error}"
