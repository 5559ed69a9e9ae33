"""Sessions: rows that are turns of one another, as turns of programs.

A turn's prompt is the one before it, its answer, and what the row adds. The rows of a session stand together; the first
has its time, if the file has times at all, and each later one the delay after the turn before it has ended.
The first turn's hash ids are the head of all its turns: behind the first answer nothing can be shared with others.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from simcore.contract.traffic import Column
from traces.formats import Columns
from traces.formats.base import MAX_TOKENS, Row, Turns
from traces.problems import Problems


class Sessions:
    """Takes rows one by one and gives back whole sessions, as columns. The names of all are remembered.

    timed: whether the file has times. block_tokens: of a hash id, None if it has none.
    """

    def __init__(self, problems: Problems, *, timed: bool, block_tokens: int | None) -> None:
        self.accepted = 0
        self._problems = problems
        self._timed = timed
        self._block_tokens = block_tokens
        self._programs = 0
        self._known: set[str] = set()
        self._name: str | None = None
        self._lost = False
        self._open: list[_Turn] = []
        self._whole: list[_Turn] = []

    def add(self, number: int, row: Row) -> None:
        """Take the row in line `number`, or note what is wrong with it."""
        later = row.session is not None and row.session == self._name
        fault = self._later_fault(row) if later else self._first_fault(row)
        if not later:
            self._end()
            self._name = row.session
        if fault:
            self._problems.bad_row(number, [(1, fault)])
            self.lose()
            return
        self._open.append(self._following(number, row) if later else self._first(number, row))
        self.accepted += 1

    def lose(self) -> None:
        """Note that a row is bad, perhaps of the session going on: what it has after that cannot be known."""
        self._lost = True

    def columns(self, *, the_last_too: bool = False) -> tuple[Column, Columns]:
        """Return [n] lines and the columns of the sessions that are whole, once each."""
        if the_last_too:
            self._end()
        turns, self._whole = self._whole, []
        table = np.array([each[:4] for each in turns], dtype=np.int64).reshape(-1, 4)
        number, program, turn, gap_ps = (np.ascontiguousarray(column) for column in table.T)
        columns = Columns.of([each.row for each in turns], self._block_tokens)
        return number, replace(columns, turns=Turns(program, turn, gap_ps))

    def _end(self) -> None:
        self._whole += self._open
        self._open = []
        self._lost = False
        if self._name is not None:
            self._known.add(self._name)
            self._programs += 1
            self._name = None

    def _first(self, number: int, row: Row) -> "_Turn":
        return _Turn(number, -1 if row.session is None else self._programs, 0, 0, row)

    def _following(self, number: int, row: Row) -> "_Turn":
        before = self._open[-1]
        first = self._open[0].row
        prompt_tokens = before.row.prompt_tokens + before.row.output_tokens + row.prompt_tokens
        grown = row._replace(
            second=first.second,
            ps=first.ps,
            prompt_tokens=prompt_tokens,
            hash_ids=first.hash_ids,
            head_tokens=first.prompt_tokens,
        )
        return _Turn(number, before.program, before.turn + 1, row.delay_ps or 0, grown)

    def _first_fault(self, row: Row) -> str | None:
        if row.session in self._known:
            return (
                f"session_id: {row.session!r} goes on here, but its rows must stand together, and others came between"
            )
        if row.timed != self._timed:
            return "a row that begins a session must have a timestamp" + (", as the first has" if self._timed else "")
        if row.delay_ps:
            return "delay: a row that begins a session, or is in none, comes after nothing"
        return None

    def _later_fault(self, row: Row) -> str | None:
        if self._lost:
            return f"an earlier row of the session {row.session!r} is bad, so what this turn adds to is unknown"
        if row.timed:
            return (
                "timestamp: a later turn comes its delay after the turn before it has ended, not at a time; "
                "without its session_id the row is a request of its own"
            )
        before = self._open[-1].row
        if before.prompt_tokens + before.output_tokens + row.prompt_tokens > MAX_TOKENS:
            return f"the prompt of the session grows beyond {MAX_TOKENS:,} tokens here"
        return None


class _Turn(NamedTuple):
    number: int
    program: int
    turn: int
    gap_ps: int
    row: Row
