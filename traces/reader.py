"""Reader: a trace file as pieces of checked requests, in constant memory.

Every row is validated. Reading goes on past a broken row only to look for more problems: what is wrong with a
file is said at once, up to a limit, as `file:line:col: message`. Or broken rows are left out and counted.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

import numpy as np

from simcore.contract.traffic import Arrivals, Column
from traces import formats
from traces.clock import TimeUnit
from traces.files import DAMAGE, open_text
from traces.formats import BadRow, Columns, Format, OddRows, Table
from traces.problems import Problems
from traces.reading import Reading
from traces.sessions import Sessions
from traces.timeline import Timeline

PIECE_ROWS = 8192
MAX_CLASSES = 1000
_MAX_LINE = 1 << 24
_ODD_LETTER = re.compile(r"[^A-Za-z0-9_-]")


@dataclass
class Reader:
    """One way to read one file. What reading finds out stands in the fields below `reading` afterwards."""

    path: Path
    reading: Reading = field(default_factory=Reading)
    format: Format | None = None
    time_unit: TimeUnit | None = None
    table: Table | None = None
    first_second: int = 0
    """Of the first row, in the file's own count."""
    skipped: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    """Numbers of the classes that rows name, as they come."""
    _sessions: Sessions | None = None

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the requests, times relative to the first row; TraceError once problems were found.

        What the file does not say (`Table.fields`) is 0: a time, or a count of tokens.
        """
        problems = Problems(self.path, skip=self.reading.bad_rows == "skip")
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
        self.skipped = problems.skipped

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
            self.format = formats.of_file(first_line, self.reading.format)
            self.table = self.format.table(first_line, self.reading.block_tokens)
        except BadRow as bad:
            for column, message in bad.faults:
                problems.add(1, column, message)
            return
        except ValueError as error:
            problems.add(1, 1, str(error))
            return
        self.time_unit = self.reading.time_unit or self.format.time_unit
        if self.table.has_header:
            yield from self._rows(iter(text), 2, problems)
        else:
            yield from self._rows(chain([first_line], text), 1, problems)

    def _rows(self, lines: Iterator[str], line: int, problems: Problems) -> Iterator[Arrivals]:
        assert self.table is not None
        timeline = Timeline(problems)
        wanted = self.reading.rows
        self._sessions = None
        if self.table.fields.session is not None:
            timed = self.table.fields.arrival is not None
            self._sessions = Sessions(problems, timed=timed, block_tokens=self.table.block_tokens)
        read = 0
        while wanted is None or read < wanted:
            size = PIECE_ROWS if wanted is None else min(PIECE_ROWS, wanted - read)
            piece: list[str] = []
            damage = None
            try:
                piece.extend(islice(lines, size))
            except DAMAGE as error:
                damage = error
            numbers, columns = self._convert(piece, line, problems)
            line += len(piece)
            at_ps, columns = timeline.place(numbers, columns)
            read = self._sessions.accepted if self._sessions else read + len(at_ps)
            yield from self._requests(at_ps, columns, line, problems)
            if damage:
                problems.add(line, 1, _damage(damage))
                return
            if len(piece) < size:
                break
        if self._sessions:
            yield from self._requests(*timeline.place(*self._sessions.columns(the_last_too=True)), line, problems)
        self.first_second = timeline.first_second
        problems.end(line, read)

    def _requests(self, at_ps: Column, columns: Columns, line: int, problems: Problems) -> Iterator[Arrivals]:
        """Yield the requests of a piece that ends above `line`, if there are any and nothing is wrong so far."""
        assert self.table is not None
        if not len(at_ps) or problems.found:
            return
        request_class = self._numbered(columns.labels)
        if len(self.classes) > MAX_CLASSES:
            column = self.table.fields.request_class
            problems.add(line - 1, 1, f"{column}: more than {MAX_CLASSES:,} classes up to here: is it an id?")
        turns = columns.turns
        yield Arrivals(
            at_ps,
            columns.prompt_tokens,
            columns.output_tokens,
            request_class=request_class,
            program=None if turns is None else turns.program,
            turn=None if turns is None else turns.turn,
            gap_ps=None if turns is None else turns.gap_ps,
            head=columns.head,
        )

    def _convert(self, piece: list[str], line: int, problems: Problems) -> tuple[Column, Columns]:
        """Return the line numbers of the good rows of a piece, and their columns; of turns, the whole sessions."""
        assert self.table is not None
        assert self.time_unit is not None
        numbers = np.arange(line, line + len(piece))
        if piece:
            try:
                return numbers, self.table.columns(piece, self.time_unit)
            except OddRows as odd:
                if problems.skip and (rest := self._without(odd.rows, piece, numbers, problems)):
                    return rest
            except ValueError:
                pass  # some row is unusual or broken: it takes a look at each to find which
        good, rows = [], []
        for number, text in enumerate(piece, start=line):
            if not text.strip():
                continue
            try:
                row = self.table.row(text, self.time_unit)
            except BadRow as bad:
                problems.bad_row(number, bad.faults)
                if self._sessions:
                    self._sessions.lose()
                continue
            if self._sessions:
                self._sessions.add(number, row)
            else:
                good.append(number)
                rows.append(row)
        if self._sessions:
            return self._sessions.columns()
        labelled = self.table.fields.request_class is not None
        return np.array(good, dtype=np.int64), Columns.of(rows, self.table.block_tokens, labelled=labelled)

    def _without(
        self, odd: Column, piece: list[str], numbers: Column, problems: Problems
    ) -> tuple[Column, Columns] | None:
        """Return a piece without its odd rows, now left out; None if one of them, or another, needs a look.

        Failed requests stand everywhere in some traces, and looking at each row of a file takes ten times as long.
        """
        assert self.table is not None
        assert self.time_unit is not None
        faults = {}
        for index in odd.tolist():
            try:
                self.table.row(piece[index], self.time_unit)
                return None
            except BadRow as bad:
                faults[int(numbers[index])] = bad.faults
        rest = [text for index, text in enumerate(piece) if int(numbers[index]) not in faults]
        try:
            columns = self.table.columns(rest, self.time_unit)
        except ValueError:
            return None
        for number, fault in faults.items():
            problems.bad_row(number, fault)
        return np.delete(numbers, odd), columns

    def _numbered(self, labels: Sequence[str] | None) -> Column | None:
        """Return the numbers of the classes that rows name."""
        if labels is None:
            return None
        known = self.classes
        return np.array([known.setdefault(slug(label), len(known)) for label in labels], dtype=np.int64)


def slug(label: str) -> str:
    """Return the name of a class in letters that file and column names may have.

    >>> slug("Conversation log")
    'Conversation_log'
    """
    return _ODD_LETTER.sub("_", label)


def _damage(error: Exception) -> str:
    return f"the file is truncated or damaged here: {error}"
