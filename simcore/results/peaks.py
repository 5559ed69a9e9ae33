"""Peaks: the most requests at one instant and the most tokens in one second, as `vllm bench serve` reports them."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from simcore.contract import PS_PER_S
from simcore.results.combs import counters

Ints = NDArray[np.int64]

CHUNK = 1 << 16


def peak_concurrency(arrivals_ps: Ints, departures_ps: Iterable[Ints]) -> int:
    """Return the most requests in the system at once; one that leaves at an instant is gone at that instant.

    Args:
        arrivals_ps: [n], sorted.
        departures_ps: the same requests in any order, in pieces.

    >>> peak_concurrency(np.array([0, 1, 2]), [np.array([2, 5, 9])])
    2
    """
    if not len(arrivals_ps):
        return 0
    leaving = np.zeros(len(arrivals_ps) + 1, np.int32)
    for piece in departures_ps:
        np.add.at(leaving, np.searchsorted(arrivals_ps, piece, "left"), 1)
    peak = gone = 0
    for begin in range(0, len(arrivals_ps), CHUNK):
        # Just after arrival i, i + 1 have come, and those have gone that left by then.
        end = min(begin + CHUNK, len(arrivals_ps))
        gone_by = gone + np.cumsum(leaving[begin:end])
        peak = max(peak, int((np.arange(begin + 1, end + 1) - gone_by).max()))
        gone = int(gone_by[-1])
    return peak


class TokenSeconds:
    """Output tokens in each whole second since `start_ps`."""

    def __init__(self, start_ps: int, end_ps: int) -> None:
        self._start_ps = start_ps
        self._tokens = np.zeros(max(end_ps - start_ps, 0) // PS_PER_S + 1, np.int64)

    def add_dates(self, dates_ps: Ints) -> None:
        """Count one token at each date."""
        self._add((dates_ps - self._start_ps) // PS_PER_S, np.ones(len(dates_ps), np.int64))

    def add_steps(self, rows: Ints) -> None:
        """Count the tokens of step rows [n, 6]: `decodes` at the end of each iteration."""
        _, start, first, increment, iterations, decodes = rows.T
        begin = start - self._start_ps
        first_second = (begin + first) // PS_PER_S
        duration = iterations * first + increment * (iterations * (iterations - 1) // 2)
        last_second = (begin + duration) // PS_PER_S
        whole = first_second == last_second
        self._add(first_second[whole], (iterations * decodes)[whole])
        for index in _pieces(np.flatnonzero(~whole)):
            # One row per second that a step touches; what ends before a second's end, less what ended before it.
            seconds = last_second[index] - first_second[index] + 1
            step = np.repeat(index, seconds)
            second = first_second[step] + counters(seconds)
            ended = _ended_before((second + 1) * PS_PER_S - begin[step], first[step], increment[step], iterations[step])
            before = np.concatenate(([0], ended[:-1]))
            before[np.concatenate(([0], np.cumsum(seconds)[:-1]))] = 0
            self._add(second, (ended - before) * decodes[step])

    def peak(self) -> int:
        """Return the most tokens in one second."""
        return int(self._tokens.max())

    def _add(self, seconds: Ints, tokens: Ints) -> None:
        inside = (seconds >= 0) & (seconds < len(self._tokens))
        np.add.at(self._tokens, seconds[inside], tokens[inside])


def _pieces(index: Ints) -> Iterator[Ints]:
    for begin in range(0, len(index), 4096):
        yield index[begin : begin + 4096]


def _ended_before(elapsed: Ints, first: Ints, increment: Ints, iterations: Ints) -> Ints:
    """Return how many of the iterations end less than `elapsed` after their step's start, by bisection."""
    low, high = np.zeros_like(iterations), iterations.copy()
    while (low < high).any():
        middle = (low + high + 1) // 2
        ends = middle * first + increment * (middle * (middle - 1) // 2)
        inside = ends < elapsed
        low = np.where(inside, middle, low)
        high = np.where(inside, high, middle - 1)
    return low
