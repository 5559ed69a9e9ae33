"""Format: how one public trace format is recognised, and how the lines of a file in it become columns.

A reader converts a piece of a file in one go (`Table.columns`). Only a piece that does not convert is looked at line
by line (`Table.row`), which finds the place and the reason. So a clean file is read fast and a broken one precisely.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from simcore.contract.traffic import Column, Heads
from traces import heads
from traces.clock import TimeUnit

MAX_TOKENS = 10**9


@dataclass(frozen=True, slots=True)
class Fields:
    """Which column of a file says what, by its name; None: none does.

    total_tokens: must be the sum of the two. hash_ids: one per block of the prompt. session, delay: whose turn a row
    is, and how long after the turn before it (`traces.sessions`).
    """

    arrival: str | None = None
    prompt_tokens: str | None = None
    output_tokens: str | None = None
    total_tokens: str | None = None
    request_class: str | None = None
    hash_ids: str | None = None
    session: str | None = None
    delay: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are named."""
        names = (getattr(self, field.name) for field in fields(self))
        return tuple(name for name in names if name is not None)

    def joined(self, optional: "Fields", present: Container[str]) -> "Fields":
        """Return these fields, and those of `optional` whose columns are `present`."""
        there = {field.name: getattr(optional, field.name) for field in fields(optional)}
        return replace(self, **{name: column for name, column in there.items() if column in present})

    @property
    def counts(self) -> tuple[tuple[str, str], ...]:
        """The fields that hold token counts, with their columns."""
        three = ("prompt_tokens", self.prompt_tokens), ("output_tokens", self.output_tokens)
        both = (*three, ("total_tokens", self.total_tokens))
        return tuple((field, column) for field, column in both if column is not None)


NOTHING = Fields()


@dataclass(frozen=True, slots=True)
class Turns:
    """Which turns of which sessions rows are: [n] int64 each, as in `Arrivals`."""

    program: Column
    turn: Column
    gap_ps: Column

    def where(self, keep: NDArray[np.bool_]) -> "Turns":
        """Return the rows that are kept. keep: [n]."""
        return Turns(self.program[keep], self.turn[keep], self.gap_ps[keep])


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows of a file; all columns [n] int64. Time as in `traces.clock`: seconds, and picoseconds within them.

    What the file does not say is 0. labels: [n] names of classes, or None.
    """

    second: Column
    ps: Column
    prompt_tokens: Column
    output_tokens: Column
    head: Heads | None = None
    labels: Sequence[str] | None = None
    turns: Turns | None = None

    @classmethod
    def of(cls, rows: "Sequence[Row]", block_tokens: int | None, *, labelled: bool = False) -> "Columns":
        """Return rows as columns; `block_tokens`: of a hash id, None if the table has none."""
        table = np.array([row[:4] for row in rows], dtype=np.int64).reshape(-1, 4)
        second, ps, prompt_tokens, output_tokens = (np.ascontiguousarray(column) for column in table.T)
        head = None
        if block_tokens is not None:
            ids = np.array([each for row in rows for each in row.hash_ids], dtype=np.int64)
            counts = np.array([len(row.hash_ids) for row in rows], dtype=np.int64)
            covered = np.array([row.head_tokens or row.prompt_tokens for row in rows], dtype=np.int64)
            head = heads.of_blocks(ids, counts, covered, block_tokens)
        return cls(second, ps, prompt_tokens, output_tokens, head, [row.label for row in rows] if labelled else None)

    def where(self, keep: NDArray[np.bool_]) -> "Columns":
        """Return the rows that are kept. keep: [n]."""
        labels = None if self.labels is None else [label for label, kept in zip(self.labels, keep, strict=True) if kept]
        head = None if self.head is None else heads.where(self.head, keep)
        times = self.second[keep], self.ps[keep]
        turns = self.turns and self.turns.where(keep)
        return Columns(*times, self.prompt_tokens[keep], self.output_tokens[keep], head, labels, turns)


class Row(NamedTuple):
    """One row of `Columns`. head_tokens: what `hash_ids` cover, 0: the prompt.

    timed, session, delay_ps: what a row of turns says of itself (`traces.sessions`).
    """

    second: int = 0
    ps: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    hash_ids: Sequence[int] = ()
    label: str = ""
    head_tokens: int = 0
    timed: bool = True
    session: str | None = None
    delay_ps: int | None = None


class BadRow(ValueError):
    """A line is not a row of the format. `faults`: (column from 1, message) each."""

    def __init__(self, faults: list[tuple[int, str]]) -> None:
        super().__init__(faults)
        self.faults = faults


class OddRows(ValueError):
    """The rows at these indices are likely broken, all others convert."""

    def __init__(self, rows: Column) -> None:
        super().__init__(rows)
        self.rows = rows


class Table(Protocol):
    """How the lines of one file become columns, now that its first line is known."""

    @property
    def fields(self) -> Fields: ...
    @property
    def block_tokens(self) -> int | None:
        """Tokens of a prompt that one hash id names; None if there are no ids."""

    @property
    def has_header(self) -> bool: ...

    def columns(self, lines: list[str], unit: TimeUnit) -> Columns:
        """Return all lines at once. ValueError unless `row` would take each, and with the same values."""

    def row(self, line: str, unit: TimeUnit) -> Row:
        """Return one line that is not blank; BadRow lists all that is wrong with it."""


class Format(Protocol):
    """One public trace format. A new one is a file beside this, listed in `traces.formats`."""

    @property
    def name(self) -> str: ...
    @property
    def layout(self) -> str:
        """What the file looks like, for people: completes "the format is ..."."""

    @property
    def time_unit(self) -> TimeUnit:
        """The unit of times that are plain numbers."""

    def resembles(self, first_line: str) -> float:
        """Return from 0 to 1 how much of the format a first line shows, even a broken one."""

    def table(self, first_line: str, block_tokens: int | None) -> Table:
        """Return how to read a file that begins so; BadRow if its header is wrong, ValueError if not readable.

        block_tokens: of a hash id; None: the format's own.
        """


def shown(text: str) -> str:
    """Return a short quotation of what a file holds."""
    text = text.rstrip("\r\n")
    return repr(text if len(text) <= 60 else text[:57] + "...")
