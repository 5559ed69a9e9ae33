"""Samples: what a claim measures, seed by seed, and what the seeds let us say about it.

A value may be known from one side only: a system that keeps its SLO at every rate swept breaks above the highest one,
and the waits of an overloaded run grow with its length. What is so bounded can still decide a claim, from that side.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import exp, inf, log
from sys import float_info

from simcore.results.stats import CONFIDENCE, interval

_LARGEST = log(float_info.max)


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of one quantity by seed.

    Args:
        values: by seed; empty when there is no data, and then `missing` says why.
        may_be_more, may_be_less: the true value may lie above, below the values.
        notes: why it may.
    """

    values: Mapping[int, float] = field(default_factory=dict)
    may_be_more: bool = False
    may_be_less: bool = False
    notes: tuple[str, ...] = ()
    missing: str = ""

    @property
    def mean(self) -> float | None:
        return sum(self.values.values()) / len(self.values) if self.values else None

    @property
    def positive(self) -> bool:
        return all(value > 0 for value in self.values.values())

    def negated(self) -> "Sample":
        values = {seed: -value for seed, value in self.values.items()}
        return replace(self, values=values, may_be_more=self.may_be_less, may_be_less=self.may_be_more)

    def logs(self) -> "Sample":
        """Return the logarithms of values that are all positive."""
        return replace(self, values={seed: log(value) for seed, value in self.values.items()})

    def minus(self, other: "Sample") -> "Sample":
        """Return the difference over the seeds both have."""
        return self._with(other, lambda ours, theirs: ours - theirs)

    def over(self, other: "Sample") -> "Sample":
        """Return the ratio to values above 0, over the seeds both have."""
        return self._with(other, lambda ours, theirs: ours / theirs)

    def reduced_from(self, other: "Sample") -> "Sample":
        """Return by which share of the other's positive values ours lie lower, over the seeds both have."""
        return other._with(self, lambda theirs, ours: 1 - ours / theirs)

    def _with(self, other: "Sample", combine: Callable[[float, float], float]) -> "Sample":
        """Combine with a sample whose larger values make the result smaller."""
        values = {seed: combine(self.values[seed], other.values[seed]) for seed in self.values if seed in other.values}
        return Sample(
            values,
            self.may_be_more or other.may_be_less,
            self.may_be_less or other.may_be_more,
            tuple(dict.fromkeys((*self.notes, *other.notes))),
            self.missing or other.missing or ("" if values else "no seed has a run of both"),
        )


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean over `n` seeds, and the interval the true value lies in; an end that is not known is infinite.

    Args:
        mean: None without data.
        confidence: of the interval.
    """

    n: int
    mean: float | None
    low: float
    high: float
    confidence: float

    def exponential(self) -> "Estimate":
        """Return the estimate of what this one is the logarithm of: the mean becomes a geometric mean."""
        mean = None if self.mean is None else _exp(self.mean)
        return replace(self, mean=mean, low=_exp(self.low), high=_exp(self.high))


def estimate(sample: Sample, confidence: float = CONFIDENCE) -> Estimate:
    """Return mean and t-interval of a sample, one seed giving none.

    >>> found = estimate(Sample({0: 1.0, 1: 1.0}, may_be_more=True))
    >>> found.mean, found.low, found.high
    (1.0, 1.0, inf)
    """
    mean, n = sample.mean, len(sample.values)
    if mean is None or n == 1:
        return Estimate(n, mean, -inf, inf, confidence)
    found = interval(list(sample.values.values()), confidence)
    assert found.low is not None, "two seeds or more"
    assert found.high is not None, "two seeds or more"
    low = -inf if sample.may_be_less else found.low
    high = inf if sample.may_be_more else found.high
    return Estimate(n, mean, low, high, confidence)


def joint_confidence(intervals: int) -> float:
    """Return the confidence of each of so many intervals that hold together with `CONFIDENCE` (Bonferroni).

    >>> round(joint_confidence(5), 9)
    0.99
    """
    return 1 - (1 - CONFIDENCE) / intervals


def _exp(value: float) -> float:
    """Return e to a power that may be infinite, or beyond what a float can hold."""
    return exp(value) if value < _LARGEST else inf
