"""Nested: a function known at scattered points, linear between them, where no full grid was measured.

A profile's attention is the union of two grids whose points differ on every axis, so almost no cell of their crossing
has all its corners, and `tables.Grid` would have none to use. Here an axis has the points that were measured under
this point of the axes before it: the value is blended between the two nearest of them, and so on inwards.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Literal

Beyond = Literal["linear", "edge"]
Row = tuple[float, ...]


class Nested:
    """A function of one coordinate or more.

    rows: (coordinates…, value) of each measured point, in any order. beyond: above the last point of an axis the value
    goes on as between the last two, but never falls ("linear"), or stays ("edge"). Below the first it stays.

    Raises ValueError for no rows, and for two rows at one point.

    >>> table = Nested([(1, 10, 5.0), (1, 20, 7.0), (3, 15, 10.0)])
    >>> table.at(1, 15), table.at(3, 15), table.at(2, 15)      # 10 at (3, 15), alone under its 3
    (6.0, 10.0, 8.0)
    """

    __slots__ = ("_beyond", "_leaves", "_points", "_tables")

    def __init__(self, rows: Iterable[Row], beyond: Beyond = "linear") -> None:
        ordered = sorted(rows)
        if not ordered:
            raise ValueError("a table must have rows, got none")
        self._beyond = beyond
        self._points: list[float] = []
        self._tables: list[Nested] = []
        self._leaves: list[float] = []
        for point, group in groupby(ordered, key=lambda row: row[0]):
            inner = [row[1:] for row in group]
            self._points.append(point)
            if len(inner[0]) > 1:
                self._tables.append(Nested(inner, beyond))
            elif len(inner) > 1:
                raise ValueError(f"a table must have one value at a point, got {len(inner)} at {point:g}")
            else:
                self._leaves.append(inner[0][0])

    def at(self, *point: float) -> float:
        """Return the value at a point, one coordinate for each axis in order."""
        low, high, share = self._between(point[0])
        value = self._value(low, point)
        if not share:
            return value
        other = self._value(high, point)
        if share > 1:
            return max(other, value + (other - value) * share)
        return value + (other - value) * share

    def inside(self, *point: float) -> bool:
        """Return whether each coordinate lies between points that were measured."""
        if not self._points[0] <= point[0] <= self._points[-1]:
            return False
        if not self._tables:
            return True
        low, high, share = self._between(point[0])
        return all(self._tables[i].inside(*point[1:]) for i in ((low, high) if share else (low,)))

    def points(self, *point: float) -> Sequence[float]:
        """Return the points of the next axis that a value at these first coordinates rests on, ascending."""
        if not point:
            return self._points
        low, high, share = self._between(point[0])
        found = set(self._tables[low].points(*point[1:]))
        if share:
            found |= set(self._tables[high].points(*point[1:]))
        return sorted(found)

    def _between(self, coordinate: float) -> tuple[int, int, float]:
        """Return which two points a coordinate lies between, and how far from the first to the second."""
        points = self._points
        low = bisect_right(points, coordinate) - 1
        last = len(points) - 1
        if low < 0:
            return 0, 0, 0.0
        if low == last:
            if coordinate == points[last] or last == 0 or self._beyond == "edge":
                return last, last, 0.0
            low = last - 1
        return low, low + 1, (coordinate - points[low]) / (points[low + 1] - points[low])

    def _value(self, i: int, point: Row) -> float:
        return self._tables[i].at(*point[1:]) if self._tables else self._leaves[i]
