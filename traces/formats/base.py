"""Format: how one public trace format is recognised, and how its lines become columns.

A reader converts a piece of a file in one go (`columns`). Only a piece that does not convert is looked at line
by line (`row`), which finds the place and the reason. So a clean file is read fast and a broken one precisely.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from simcore.contract.traffic import Column, Heads
from traces import heads
from traces.clock import TimeUnit

MAX_TOKENS = 10**9


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows of a file; all columns [n] int64. Time as in `traces.clock`: seconds, and picoseconds within them."""

    second: Column
    ps: Column
    prompt_tokens: Column
    output_tokens: Column
    head: Heads | None = None

    @classmethod
    def of(cls, rows: "Sequence[Row]", block_tokens: int | None) -> "Columns":
        """Return rows as columns; `block_tokens`: of a hash id, None if the format has none."""
        table = np.array([row[:4] for row in rows], dtype=np.int64).reshape(-1, 4)
        second, ps, prompt_tokens, output_tokens = (np.ascontiguousarray(column) for column in table.T)
        head = None
        if block_tokens is not None:
            ids = np.array([each for row in rows for each in row.hash_ids], dtype=np.int64)
            counts = np.array([len(row.hash_ids) for row in rows], dtype=np.int64)
            head = heads.of_blocks(ids, counts, prompt_tokens, block_tokens)
        return cls(second, ps, prompt_tokens, output_tokens, head)


class Row(NamedTuple):
    """One row of `Columns`."""

    second: int
    ps: int
    prompt_tokens: int
    output_tokens: int
    hash_ids: Sequence[int] = ()


class BadRow(ValueError):
    """A line is not a row of the format. `faults`: (column from 1, message) each."""

    def __init__(self, faults: list[tuple[int, str]]) -> None:
        super().__init__(faults)
        self.faults = faults


class Format(Protocol):
    """One public trace format. A new one is a file beside this, listed in `traces.formats`."""

    name: str
    layout: str
    """What the file looks like, for people: completes "the format is ..."."""
    time_unit: TimeUnit
    """The unit of times that are plain numbers."""
    has_header: bool
    block_tokens: int | None
    """Tokens of a prompt that one hash id names; None if there are no ids."""

    def recognises(self, first_line: str) -> bool:
        """Whether a file that starts with this line is most likely of this format, even if broken."""

    def check_header(self, line: str) -> None:
        """Raise BadRow if the first line of a file with a header is not the one expected."""

    def columns(self, lines: list[str], unit: TimeUnit) -> Columns:
        """Return all lines at once. ValueError unless `row` would take each, and with the same values."""

    def row(self, line: str, unit: TimeUnit) -> Row:
        """Return one line that is not blank; BadRow lists all that is wrong with it."""


def token_column(counts: Iterable[int], n: int) -> Column:
    """Return [n] token counts; ValueError if one is outside 1 ... MAX_TOKENS."""
    try:
        column = np.fromiter(counts, np.int64, n)
    except OverflowError as error:
        raise ValueError("token count out of range") from error
    if column.min() < 1 or column.max() > MAX_TOKENS:
        raise ValueError("token count out of range")
    return column


def token_fault(name: str, count: int) -> str | None:
    """Return what is wrong with a token count, or None."""
    if 1 <= count <= MAX_TOKENS:
        return None
    return f"{name}: must be between 1 and {MAX_TOKENS:,} tokens, got {shown(str(count))}"


def shown(text: str) -> str:
    """Return a short quotation of what a file holds."""
    text = text.rstrip("\r\n")
    return repr(text if len(text) <= 60 else text[:57] + "...")
