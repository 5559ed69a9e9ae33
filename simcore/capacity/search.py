"""Search: where a margin changes its sign, asked one value at a time.

What to try next is a function of what is known already and of nothing else. So many searches advance side by side, and
one that was interrupted asks the same questions again and finds the answers kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log, log1p, sqrt

MOST_RUNS = 15
"""Values a search tries at most; it then stays with the bracket it has."""
WIDEST = 4.0
"""Steps out do not grow beyond this ratio: what a wide bracket saves is paid for when it is closed."""
DIGITS = 4
"""Digits of the values tried: runs are told apart, and kept, by values people can read."""

Known = Mapping[float, float]
"""Margin by value tried: above 0 where the value meets what is asked, below 0 where it does not, never 0."""


@dataclass(frozen=True, slots=True)
class Field:
    """Where to search, on a logarithmic scale.

    Args:
        low, high: limits, 0 < low <= high.
        start: the first value to try, within the limits.
        stride: ratio > 1 of the second value to the first; squared with each further step out, up to `WIDEST`.
        tolerance: share to which the bracket is closed.
        harder: 1 if larger values are harder to meet (a rate), -1 if smaller ones are (instances).
        whole: only whole numbers are values; the bracket is then closed to neighbours, or to the tolerance.
    """

    low: float
    high: float
    start: float
    stride: float
    tolerance: float
    harder: int = 1
    whole: bool = False

    def beside(self, value: float, ratio: float) -> float:
        """Return the value `ratio` times as hard, within the limits; of whole numbers at least the next one."""
        wanted = value * ratio**self.harder
        if self.whole:
            wanted = max(round(wanted), value + 1) if wanted > value else min(round(wanted), value - 1)
        return self.within(wanted)

    def within(self, value: float) -> float:
        """Return `value` with as many digits as are tried, moved to the nearest limit if it lies beyond."""
        rounded = int(value) if self.whole else float(f"{value:.{DIGITS}g}")
        return min(max(rounded, self.low), self.high)


@dataclass(frozen=True, slots=True)
class Edge:
    """The hardest value met and the easiest missed; one of them is None where a search reached its limit."""

    met: float | None
    missed: float | None


def next_value(known: Known, field: Field) -> float | None:
    """Return the value to try next, or None when the search is over: bracket closed, limit or `MOST_RUNS` reached.

    From `start` it steps out, wider each time, until what is asked is met on one side and missed on the other; then
    Brent's method closes in on the sign change, in whole numbers bisection.

    >>> field = Field(low=1, high=100, start=8, stride=2, tolerance=0.01)
    >>> next_value({}, field), next_value({8: 1.0}, field), next_value({8: 1.0, 16.0: 0.5}, field)
    (8, 16.0, 64.0)
    """
    if len(known) >= MOST_RUNS:
        return None
    here, stride = field.start, field.stride
    if here not in known:
        return here
    out = known[here] > 0
    while True:
        following = field.beside(here, stride if out else 1 / stride)
        if following == here:
            return None
        if following not in known:
            return following
        if (known[following] > 0) != out:
            break
        here, stride = following, max(stride, min(stride**2, WIDEST))
    easy, hard = (here, following) if out else (following, here)
    return _between(known, field, easy, hard) if field.whole else _closing_in(known, field, easy, hard)


def edge(known: Known, field: Field) -> Edge:
    """Return what a search has found so far."""
    met = [value for value, margin in known.items() if margin > 0]
    missed = [value for value, margin in known.items() if margin < 0]
    hardest, easiest = (max, min) if field.harder > 0 else (min, max)
    return Edge(hardest(met) if met else None, easiest(missed) if missed else None)


def root(known: Known, found: Edge, field: Field) -> float:
    """Return where a closed bracket crosses: on the straight line between its ends; in whole numbers, its met end.

    >>> field = Field(low=1, high=100, start=8, stride=2, tolerance=0.01)
    >>> round(root({10: 0.5, 10.1: -0.5}, Edge(10, 10.1), field), 3)
    10.05
    """
    assert found.met is not None, "a bracket has two ends"
    assert found.missed is not None, "a bracket has two ends"
    if field.whole:
        return found.met
    above, below = known[found.met], known[found.missed]
    share = above / (above - below)
    return exp(log(found.met) + share * (log(found.missed) - log(found.met)))


def _between(known: Known, field: Field, easy: float, hard: float) -> float | None:
    """Bisect, in ratios."""
    low, high = sorted((int(easy), int(hard)))
    while high - low > 1 and high > low * (1 + field.tolerance):
        middle = min(max(round(sqrt(low * high)), low + 1), high - 1)
        if middle not in known:
            return middle
        if (known[middle] > 0) == (field.harder > 0):
            low = middle
        else:
            high = middle
    return None


def _closing_in(known: Known, field: Field, easy: float, hard: float) -> float | None:
    from scipy.optimize import brentq

    ends = {log(easy): easy, log(hard): hard}

    def margin(at: float) -> float:
        value = ends[at] if at in ends else field.within(exp(at))
        if value not in known:
            raise _Asked(value)
        return known[value]

    try:
        brentq(margin, *ends, xtol=log1p(field.tolerance), rtol=1e-12)
    except _Asked as asked:
        return asked.value
    return None


class _Asked(Exception):
    """Brent's method is run anew from the beginning on what is known, until it asks for more."""

    def __init__(self, value: float) -> None:
        self.value = value
