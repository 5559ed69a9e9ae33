"""Polyline: picoseconds along the mean context of a batch, exact in integers, so that steps add up to the last one.

With n decodes, each iteration adds n tokens to their total context, so one to its mean: between two knots the value is
value + slope * (total - n * knot) // n, and grows by exactly `slope` an iteration.
"""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from simcore.contract import UNBOUNDED, to_ps


class Polyline:
    """Picoseconds of a batch of `decodes` requests by their total context.

    knots: mean contexts, ascending whole numbers. seconds: what was measured there. Below the first the first holds,
    beyond the last the last piece goes on. Times that fall as context grows are noise, and are levelled: a line never
    falls.

    >>> line = Polyline(2, [10, 20, 30], [100e-12, 150e-12, 250e-12])
    >>> line.at(30), line.at(40)[:2], line.at(41)[:2]         # means of 15, 20 and 20.5
    ((125, 5, 6), (150, 10), (155, 10))
    """

    def __init__(self, decodes: int, knots: Sequence[float], seconds: Sequence[float]) -> None:
        assert decodes > 0
        measured = np.asarray(seconds, dtype=np.float64)
        # Half way between the least that rises above all before and the most that stays below all after.
        level = (np.maximum.accumulate(measured) + np.minimum.accumulate(measured[::-1])[::-1]) / 2
        means = [round(knot) for knot in knots]
        self._decodes = decodes
        self._totals = [0]
        self._values = [to_ps(float(level[0]))]
        self._slopes = [0]
        for knot, after, value, following in zip(means, means[1:], level, level[1:], strict=False):
            self._start(knot, round(to_ps(float(following - value)) / (after - knot)))
        if len(means) == 1:
            self._start(means[0], 0)
        self._ends = [*self._totals[1:], UNBOUNDED]

    def at(self, context: int) -> tuple[int, int, int]:
        """Return (picoseconds, more each iteration, for how many iterations) at a total context."""
        piece = bisect_right(self._totals, context) - 1
        slope = self._slopes[piece]
        value = self._values[piece] + slope * (context - self._totals[piece]) // self._decodes
        end = self._ends[piece]
        # At the next knot both pieces say the same.
        return value, slope, UNBOUNDED if end == UNBOUNDED else (end - context) // self._decodes + 1

    def _start(self, mean: int, slope: int) -> None:
        """Begin a piece at a mean context, where the one before it has arrived."""
        total = mean * self._decodes
        value = self._values[-1] + self._slopes[-1] * (total - self._totals[-1]) // self._decodes
        self._totals.append(total)
        self._values.append(value)
        self._slopes.append(slope)
