"""Timeline: the times of a file's rows, counted from its first; they may not go backwards."""

import numpy as np
from numpy.typing import NDArray

from simcore.contract.traffic import Column
from simcore.contract.units import PS_PER_S, to_s
from traces.formats import Columns
from traces.problems import Problems

MAX_SPAN_S = 9_000_000
"""104 days: what 63 bits of picoseconds hold."""


class Timeline:
    """Places pieces of one file. first_second: of its first row, in the file's own count."""

    def __init__(self, problems: Problems) -> None:
        self.first_second = 0
        self._first_ps: int | None = None
        self._last_ps = 0
        self._problems = problems

    def place(self, numbers: Column, columns: Columns) -> tuple[Column, Columns]:
        """Return [m] picoseconds since the first row, and the rows that have a place: all, or what `skip` leaves.

        numbers: [n] in which line each row stands.
        """
        if not len(numbers):
            return np.zeros(0, np.int64), columns
        if self._first_ps is None:
            self.first_second, self._first_ps = int(columns.second[0]), int(columns.ps[0])
        seconds = columns.second - self.first_second
        for index in np.flatnonzero(abs(seconds) > MAX_SPAN_S):
            far = f"more than {MAX_SPAN_S:,} s away from the first row"
            advice = "another time_unit? A longer trace is read in part, by requests"
            self._problems.bad_row(int(numbers[index]), [(1, f"{far}: {advice}")])
        near = abs(seconds) <= MAX_SPAN_S
        if self._problems.skip and not near.all():
            return self.place(numbers[near], columns.where(near))
        at_ps = seconds.clip(-MAX_SPAN_S, MAX_SPAN_S) * PS_PER_S + (columns.ps - self._first_ps)
        keep = self._in_order(at_ps, numbers)
        self._last_ps = max(self._last_ps, int(at_ps[-1] if keep is None else at_ps.max()))
        return (at_ps, columns) if keep is None else (at_ps[keep], columns.where(keep))

    def _in_order(self, at_ps: Column, numbers: Column) -> NDArray[np.bool_] | None:
        """Note the rows before the row above them; return [n] those to keep, None for all."""
        if at_ps[0] >= self._last_ps and (np.diff(at_ps) >= 0).all():
            return None
        # What is left out holds up nobody behind it: left out are the rows before the latest one so far.
        latest = np.maximum.accumulate(np.concatenate(([self._last_ps], at_ps)))[:-1]
        above = latest if self._problems.skip else np.concatenate(([self._last_ps], at_ps[:-1]))
        for index in np.flatnonzero(at_ps < above):
            back_s = to_s(int(above[index] - at_ps[index]))
            self._problems.bad_row(
                int(numbers[index]), [(1, f"time goes backwards: {back_s:g} s before the row above it")]
            )
        return at_ps >= above if self._problems.skip else None
