"""Combs: many evenly spaced integers held as arithmetic progressions, counted and ranked without expanding them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

FEW = 1 << 12
"""So many teeth are sorted rather than bisected."""


def counters(lengths: Ints) -> Ints:
    """Return 0, 1, …, length - 1 for each length, end to end.

    >>> counters(np.array([2, 3])).tolist()
    [0, 1, 0, 1, 2]
    """
    ends = np.cumsum(lengths)
    return np.arange(int(lengths.sum()), dtype=np.int64) - np.repeat(ends - lengths, lengths)


@dataclass(frozen=True, slots=True)
class Combs:
    """Row r stands for `weight` copies of each of `first + j * increment`, j < `length`.

    All arrays are int64 [n]; increment >= 1, length >= 1, weight >= 1. Make them with `of`, which normalises.
    """

    first: Ints
    increment: Ints
    length: Ints
    weight: Ints

    @classmethod
    def of(cls, first: Ints, increment: Ints, length: Ints, weight: Ints) -> Self:
        """Return the combs of any progressions: falling ones are turned round, constant ones become one tooth."""
        kept = (length > 0) & (weight > 0)
        first, increment, length, weight = first[kept], increment[kept], length[kept], weight[kept]
        first = np.where(increment < 0, first + (length - 1) * increment, first)
        constant = increment == 0
        weight = np.where(constant, weight * length, weight)
        length = np.where(constant, 1, length)
        return cls(first, np.where(constant, 1, np.abs(increment)), length, weight)

    @classmethod
    def single(cls, values: Ints) -> Self:
        """Return each value as a comb of one tooth."""
        ones = np.ones_like(values)
        return cls(values, ones, ones, ones)

    @classmethod
    def joined(cls, parts: Iterable["Combs"]) -> Self:
        """Return the rows of all parts, in order; there is at least one part."""
        columns = zip(*((part.first, part.increment, part.length, part.weight) for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))

    def __len__(self) -> int:
        return len(self.first)

    def rows(self, index: Ints | NDArray[np.bool_]) -> Self:
        """Return a copy of some of the rows, by number or where true."""
        return type(self)(self.first[index], self.increment[index], self.length[index], self.weight[index])

    def total(self) -> int:
        """Return how many values there are, weights counted."""
        return int((self.length * self.weight).sum())

    def split(self, low: int, high: int) -> tuple[int, Self]:
        """Return how many values are below `low`, and the combs of those in [low, high]."""
        last = self._last()
        below = self.rows(last < low).total()
        # Divisions are dear: only rows that reach into the range are divided.
        touched = self.rows((last >= low) & (self.first <= high))
        begin = touched._teeth_below(low)
        below += int((begin * touched.weight).sum())
        length = touched._teeth_below(high + 1) - begin
        first = touched.first + begin * touched.increment
        inside = type(self)(first, touched.increment, length, touched.weight)
        return below, inside.rows(length > 0)

    def select(self, rank: int) -> int:
        """Return the value of `rank` (from 0) when all values are sorted; 0 <= rank < total.

        >>> ten = Combs.of(*(np.array([value]) for value in (10, 2, 3, 1)))  # 10, 12, 14
        >>> [ten.select(rank) for rank in range(3)]
        [10, 12, 14]
        """
        combs = self
        while int(combs.length.sum()) > FEW:
            low = int(combs.first.min())
            high = int(combs._last().max())
            if low == high:
                return low
            middle = (low + high) // 2
            below, upper = combs.split(middle + 1, high)
            if rank >= below:
                rank -= below
                combs = upper
            else:
                combs = combs.split(low, middle)[1]
        values, weights = combs._teeth()
        order = np.argsort(values)
        return int(values[order][np.searchsorted(np.cumsum(weights[order]), rank, side="right")])

    def _last(self) -> Ints:
        return self.first + (self.length - 1) * self.increment

    def _teeth(self) -> tuple[Ints, Ints]:
        """Return every value once, in no order, and the weight of each."""
        values = np.repeat(self.first, self.length) + counters(self.length) * np.repeat(self.increment, self.length)
        return values, np.repeat(self.weight, self.length)

    def _teeth_below(self, value: int) -> Ints:
        """Return per row how many of its teeth are smaller than `value`."""
        teeth: Ints = np.clip((value - self.first + self.increment - 1) // self.increment, 0, self.length)
        return teeth
