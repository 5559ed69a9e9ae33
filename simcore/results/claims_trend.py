"""Trends: how a quantity goes along a sweep: does it grow, fall, stay flat, or peak in between?

Seed i means the same requests at every point, so steps from point to point are taken seed by seed, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log1p
from typing import Any

from simcore.results.claims_check import Check, Quantity, undecided
from simcore.results.claims_sample import Estimate, Sample, estimate, joint_confidence

ALONE = joint_confidence(1)


def trend(kind: str, rest: Mapping[str, Any], along: Mapping[Any, Sample], within: float | None) -> Check:
    """Return whether a quantity has the shape `kind` over the values of a sweep key, two or more and in order.

    Args:
        rest: the other sweep keys.
        along: the quantity at each value of the key.
        within: how flat is flat: no more than this share from the first value, up or down.

    Where all values are above 0 steps are factors, else differences.
    """
    samples = list(along.values())
    means = {str(value): sample.mean for value, sample in along.items()}
    missing = next((sample.missing for sample in samples if sample.missing), "")
    name = "factor" if all(sample.positive for sample in samples) else "change"
    if kind == "flat in" and name == "change":
        missing = missing or "flat is a matter of ratios, which need values above 0"
    if missing:
        return Curve(rest, name, (), (), means).undecided(Sample(missing=missing))
    working = [sample.logs() for sample in samples] if name == "factor" else samples
    curve = Curve(rest, name, list(along), working, means)
    if kind == "peaks over":
        return curve.peaks()
    return curve.is_flat(log1p(within or 0.0)) if kind == "flat in" else curve.goes(1 if kind == "grows with" else -1)


@dataclass(frozen=True, slots=True)
class Curve:
    """A quantity along a sweep key.

    Args:
        name: factor or change: what a step is.
        values: of the key, in order.
        samples: of the quantity there; for factors their logarithms.
        means: of the quantity there.
    """

    rest: Mapping[str, Any]
    name: str
    values: Sequence[Any]
    samples: Sequence[Sample]
    means: Mapping[str, float | None]

    def goes(self, sign: int) -> Check:
        """Growing holds when the last value is certainly above the first and no step certainly falls."""
        whole = self.samples[-1].minus(self.samples[0])
        steps = [_towards(sign, later.minus(earlier)) for earlier, later in pairwise(self.samples)]
        if any(found.high < 0 for found in _each(steps, joint_confidence(len(steps)))):
            return self.decided(whole, False, "a step goes the other way")
        (overall,) = _each([_towards(sign, whole)], ALONE)
        if overall.low <= 0 < overall.high:
            return self.undecided(whole)
        return self.decided(whole, overall.low > 0)

    def is_flat(self, bound: float) -> Check:
        """Flat holds when every value certainly lies within the bound of the first."""
        steps = [later.minus(self.samples[0]) for later in self.samples[1:]]
        farthest = max(steps, key=lambda step: abs(step.mean or 0.0))
        if any(found.low > bound or found.high < -bound for found in _each(steps, joint_confidence(len(steps)))):
            return self.decided(farthest, False)
        if all(found.low >= -bound and found.high <= bound for found in _each(steps, ALONE)):
            return self.decided(farthest, True)
        return self.undecided(farthest)

    def peaks(self) -> Check:
        """A peak holds when a value in between is certainly above both ends."""
        first, *inner, last = self.samples
        drops = [(sample.minus(first), sample.minus(last)) for sample in inner]
        # The lower of the two drops is what makes a peak.
        lower = [min(both, key=lambda drop: drop.mean or 0.0) for both in drops]
        top = max(range(len(inner)), key=lambda index: lower[index].mean or 0.0)
        jointly = joint_confidence(len(inner))
        if any(all(found.low > 0 for found in _each(both, jointly)) for both in drops):
            return self.decided(lower[top], True, f"highest near {self.values[1 + top]}")
        if all(any(found.high <= 0 for found in _each(both, ALONE)) for both in drops):
            return self.decided(lower[top], False, "an end is as high")
        return self.undecided(lower[top])

    def decided(self, sample: Sample, holds: bool, note: str = "") -> Check:
        quantity = Quantity(self.name, sample, self.means)
        reason = "; ".join(filter(None, (*sample.notes, note)))
        return Check(self.rest, quantity, quantity.estimate(ALONE), holds, reason)

    def undecided(self, sample: Sample) -> Check:
        quantity = Quantity(self.name, sample, self.means)
        found = quantity.estimate(ALONE)
        return Check(self.rest, quantity, found, None, "; ".join((*sample.notes, undecided(quantity, found))))


def _each(samples: Sequence[Sample], confidence: float) -> list[Estimate]:
    return [estimate(sample, confidence) for sample in samples]


def _towards(sign: int, sample: Sample) -> Sample:
    return sample if sign > 0 else sample.negated()
