"""Tallies: how often each number comes, in memory that does not grow with how many numbers there are."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simcore.contract.traffic import Column

_DENSE = 1 << 20
"""Numbers below have a counter each; the few above, prompts of over a million tokens, one when they come."""

_PER_DECADE = 200
_LEAST_S, _MOST_S = 1e-9, 1e7


class Tally:
    """Counts of whole numbers >= 0; what it tells is exact."""

    def __init__(self) -> None:
        self._dense = np.zeros(_DENSE, np.int64)
        self._above: Counter[int] = Counter()

    def add(self, numbers: Column) -> None:
        """Count [n] int64 numbers."""
        values, counts = np.unique(numbers, return_counts=True)
        below = int(np.searchsorted(values, _DENSE))
        self._dense[values[:below]] += counts[:below]
        self._above.update(dict(zip(values[below:].tolist(), counts[below:].tolist(), strict=True)))

    @property
    def n(self) -> int:
        """How many numbers were counted."""
        return int(self._dense.sum()) + self._above.total()

    def table(self) -> tuple[Column, Column]:
        """Return the numbers that came, ascending, and how often each did: [m] int64 both."""
        low = np.flatnonzero(self._dense)
        high = np.array(sorted(self._above), dtype=np.int64)
        counts = np.array([self._above[number] for number in high.tolist()], dtype=np.int64)
        return np.concatenate([low, high]), np.concatenate([self._dense[low], counts])


def quantiles(values: NDArray[np.int64], counts: NDArray[np.int64], shares: ArrayLike) -> Sequence[float]:
    """Return the quantiles of a table of counts, linear between neighbours, as numpy has them.

    >>> quantiles(np.array([1, 3]), np.array([3, 1]), [0.5, 1.0]), np.quantile([1, 1, 1, 3], [0.5, 1.0]).tolist()
    ([1.0, 3.0], [1.0, 3.0])
    """
    place = np.asarray(shares) * (counts.sum() - 1)
    below = np.floor(place).astype(np.int64)
    ends = np.cumsum(counts)
    low = values[np.searchsorted(ends, below, side="right")]
    high = values[np.searchsorted(ends, np.ceil(place).astype(np.int64), side="right")]
    found: list[float] = (low + (high - low) * (place - below)).tolist()
    return found


class LogTally:
    """Counts of times in seconds, in 200 bins a decade: a quantile is off by at most 0.6%. Moments are exact."""

    def __init__(self) -> None:
        decades = int(np.log10(_MOST_S / _LEAST_S))
        self.edges: NDArray[np.float64] = np.geomspace(_LEAST_S, _MOST_S, decades * _PER_DECADE + 1)
        self.counts = np.zeros(len(self.edges) - 1, np.int64)
        self.zeros = 0
        self.n = 0
        self.mean = 0.0
        self.most = 0.0
        self._squares = 0.0

    def add(self, seconds: NDArray[np.float64]) -> None:
        """Count [n] times >= 0; what is below a nanosecond counts as zero."""
        n = len(seconds)
        if not n:
            return
        short = seconds < _LEAST_S
        self.zeros += int(short.sum())
        bins = np.searchsorted(self.edges, seconds[~short], side="right") - 1
        self.counts += np.bincount(np.minimum(bins, len(self.counts) - 1), minlength=len(self.counts))
        # Chan, Golub and LeVeque's way to join the moments of two samples: no large sums are subtracted.
        mean = float(seconds.mean())
        apart = mean - self.mean
        self._squares += float(((seconds - mean) ** 2).sum()) + apart * apart * self.n * n / (self.n + n)
        self.mean += apart * n / (self.n + n)
        self.n += n
        self.most = max(self.most, float(seconds.max()))

    @property
    def cv(self) -> float | None:
        """Standard deviation over mean, None where there is nothing to divide by."""
        return float(np.sqrt(self._squares / self.n)) / self.mean if self.mean else None

    def quantile(self, share: float) -> float:
        """Return the middle of the bin that `share` of all times lie in or below."""
        place = share * (self.n - 1) - self.zeros
        if place < 0:
            return 0.0
        index = min(int(np.searchsorted(np.cumsum(self.counts), place, side="right")), len(self.counts) - 1)
        return min(float(np.sqrt(self.edges[index] * self.edges[index + 1])), self.most)

    def exceeding(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the times at which bins begin, and the share of all times that are at least as long: [m] both."""
        used = np.flatnonzero(self.counts)
        if not len(used):
            return np.empty(0), np.empty(0)
        part = slice(used[0], used[-1] + 1)
        from_here = self.counts[::-1].cumsum()[::-1] / self.n
        return self.edges[:-1][part], from_here[part]


class Timeline:
    """Events in each second since the start, in an array that grows with the time that passes."""

    def __init__(self) -> None:
        self._counts = np.zeros(1 << 12, np.int32)
        self._seconds = 0

    def add(self, seconds: Column) -> None:
        """Count events in [n] whole seconds, non-decreasing."""
        if not len(seconds):
            return
        self._seconds = max(self._seconds, int(seconds[-1]) + 1)
        if self._seconds > len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros(self._seconds, np.int32)])
        first = int(seconds[0])
        new = np.bincount(seconds - first)
        self._counts[first : first + len(new)] += new.astype(np.int32)

    def windows(self, seconds: int) -> Column:
        """Return the events in each window of so many seconds, the last one perhaps cut short."""
        whole = self._seconds // seconds * seconds
        counts: Column = self._counts[:whole].reshape(-1, seconds).sum(axis=1, dtype=np.int64)
        if whole == self._seconds:
            return counts
        return np.append(counts, self._counts[whole : self._seconds].sum(dtype=np.int64))

    @property
    def busiest(self) -> int:
        """The most events in one second."""
        return int(self._counts.max())
