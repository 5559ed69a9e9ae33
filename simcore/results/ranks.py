"""Ranks: order statistics of more numbers than fit in memory, exact, in a few passes over the pieces.

A pass looks into one bracket of values per wanted rank: it counts what lies below and keeps what lies inside. If all
of that fits, the rank is found in memory; if not, what was kept is an even sample that says where to look next.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import ceil, sqrt

import numpy as np

from simcore.results.combs import Combs

EVERYTHING = (-(1 << 61), 1 << 61)

Pieces = Callable[[], Iterable[Combs]]


def select(pieces: Pieces, ranks: Sequence[int], *, keep_rows: int = 1 << 16) -> dict[int, int]:
    """Return {rank: value} for ranks (from 0, below the total count) of all values in `pieces()`, exactly.

    `pieces` is called once per pass and must yield the same each time. At most twice `keep_rows` rows are held per
    bracket.
    """
    found: dict[int, int] = {}
    brackets = [_Bracket(*EVERYTHING, *EVERYTHING, sorted(set(ranks)), keep_rows)] if ranks else []
    while brackets:
        for piece in pieces():
            for bracket in brackets:
                bracket.see(piece)
        brackets = [child for bracket in brackets for child in bracket.settle(found)]
    return found


class _Bracket:
    """Some ranks whose values certainly lie in [low, high] and are looked for in [near, far] within it."""

    def __init__(self, low: int, high: int, near: int, far: int, ranks: list[int], keep_rows: int) -> None:
        self.low, self.high = low, high
        self.near, self.far = near, far
        self.ranks = ranks
        self.below = 0
        self.inside = 0
        self.sample = _Sample(keep_rows)

    def see(self, piece: Combs) -> None:
        below, inside = piece.split(self.near, self.far)
        self.below += below
        self.inside += inside.total()
        if self.near < self.far:
            self.sample.add(inside)

    def settle(self, found: dict[int, int]) -> Iterator["_Bracket"]:
        """Put the ranks that are known now into `found`; yield brackets for the others."""
        keep_rows = self.sample.keep_rows
        end = self.below + self.inside
        lower = [rank for rank in self.ranks if rank < self.below]
        inner = [rank for rank in self.ranks if self.below <= rank < end]
        upper = [rank for rank in self.ranks if rank >= end]
        if lower:
            yield _Bracket(self.low, self.near - 1, self.low, self.near - 1, lower, keep_rows)
        if upper:
            yield _Bracket(self.far + 1, self.high, self.far + 1, self.high, upper, keep_rows)
        if not inner:
            return
        if self.near == self.far:
            found.update((rank, self.near) for rank in inner)
            return
        kept = self.sample.combs()
        if self.sample.complete:
            found.update((rank, kept.select(rank - self.below)) for rank in inner)
            return
        for group in _neighbours(inner):
            near, far = self._guess(kept, group)
            yield _Bracket(self.near, self.far, near, far, group, keep_rows)

    def _guess(self, kept: Combs, ranks: list[int]) -> tuple[int, int]:
        """Return where in [near, far] the ranks probably are, going by the sample; at most half of it."""
        total = kept.total()
        margin = ceil(4 * total / sqrt(len(kept)))
        low, high = ((rank - self.below) * total // self.inside for rank in (ranks[0], ranks[-1]))
        near = kept.select(max(low - margin, 0))
        far = kept.select(min(high + margin, total - 1))
        return near, min(far, near + (self.far - self.near) // 2)


class _Sample:
    """Every row until there are more than twice `keep_rows`, from then on every second, fourth, … row."""

    def __init__(self, keep_rows: int) -> None:
        self.keep_rows = keep_rows
        self._parts: list[Combs] = []
        self._kept = 0
        self._seen = 0
        self._stride = 1

    @property
    def complete(self) -> bool:
        return self._stride == 1

    def add(self, rows: Combs) -> None:
        taken = rows.rows(np.arange(-self._seen % self._stride, len(rows), self._stride))
        self._seen += len(rows)
        self._kept += len(taken)
        self._parts.append(taken)
        while self._kept > 2 * self.keep_rows:
            self._stride *= 2
            self._parts = [self.combs().rows(np.arange(0, self._kept, 2))]
            self._kept = len(self._parts[0])

    def combs(self) -> Combs:
        return Combs.joined(self._parts)


def _neighbours(ranks: list[int]) -> list[list[int]]:
    """Return runs of consecutive ranks.

    >>> _neighbours([1, 2, 7])
    [[1, 2], [7]]
    """
    groups = [[ranks[0]]]
    for rank in ranks[1:]:
        if rank == groups[-1][-1] + 1:
            groups[-1].append(rank)
        else:
            groups.append([rank])
    return groups
