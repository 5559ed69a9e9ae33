"""Checks: one quantity at one point against what a claim says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Any

from simcore.results.claims_relation import RATIOS, Band
from simcore.results.claims_sample import Estimate, Sample, estimate, joint_confidence


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a claim is about, at one point.

    Args:
        name: ratio, reduction, difference, value, factor, change.
        sample: of a ratio or a factor the logarithms.
        means: what it is made of, by system (along a trend: by value of the sweep key).
    """

    name: str
    sample: Sample
    means: Mapping[str, float | None]

    def estimate(self, confidence: float) -> Estimate:
        found = estimate(self.sample, confidence)
        return found.exponential() if self.name in RATIOS else found

    def unknown_low(self, found: Estimate) -> bool:
        """Return whether nothing is known of how small the quantity may be: any ratio is above 0."""
        return found.low == (0 if self.name in RATIOS else -inf)


@dataclass(frozen=True, slots=True)
class Check:
    """A quantity, and whether the claim holds of it.

    Args:
        estimate: with the interval that decided.
        holds: None: open.
        reason: why it is open; notes that bear on any outcome.
        room: how far the interval lies within what the claim allows.
    """

    point: Mapping[str, Any]
    quantity: Quantity
    estimate: Estimate
    holds: bool | None
    reason: str = ""
    room: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return {
            "point": dict(self.point),
            "quantity": self.quantity.name,
            "means": dict(self.quantity.means),
            "n": self.estimate.n,
            "here": self.estimate.mean,
            "ci_low": finite(self.estimate.low),
            "ci_high": finite(self.estimate.high),
            "confidence": self.estimate.confidence,
            "holds": self.holds,
        }


def amount(name: str, systems: Mapping[str, Sample]) -> Quantity:
    """Return the value of one system, or the difference, ratio or reduction of two, the second being the base."""
    means = {system: sample.mean for system, sample in systems.items()}
    first, *others = systems.values()
    missing = next((sample.missing for sample in systems.values() if sample.missing), "")
    if missing or not others:
        return Quantity(name, Sample(missing=missing) if missing else first, means)
    (base,) = others
    if name == "difference":
        return Quantity(name, first.minus(base), means)
    if not (base.positive and (first.positive or name == "reduction")):
        return Quantity(name, Sample(missing=f"a {name} needs values above 0"), means)
    return Quantity(name, first.reduced_from(base) if name == "reduction" else first.over(base).logs(), means)


def checked_everywhere(points: Sequence[Mapping[str, Any]], quantities: Sequence[Quantity], band: Band) -> list[Check]:
    """Return a check for each quantity, where the claim must hold of all of them.

    That each holds on its own makes the whole hold. That one fails says something only when that would be rare among
    so many, so a failure is judged by intervals that hold jointly.
    """
    jointly = joint_confidence(len(quantities))
    found = []
    for point, quantity in zip(points, quantities, strict=True):
        alone, among_all = quantity.estimate(joint_confidence(1)), quantity.estimate(jointly)
        if band.excludes(among_all):
            found.append(_check(point, quantity, among_all, False, band))
        else:
            found.append(_check(point, quantity, alone, True if band.holds(alone) else None, band))
    return found


def checked_at_extreme(
    points: Sequence[Mapping[str, Any]], quantities: Sequence[Quantity], band: Band, *, largest: bool
) -> list[Check]:
    """Return the check at the point where the quantity is largest, or smallest.

    A point picked for its value is a lucky one, and another may truly be the extreme: of intervals that hold jointly,
    the largest of the ends bound the largest quantity.
    """
    extreme = max if largest else min
    each = [quantity.estimate(joint_confidence(len(quantities))) for quantity in quantities]
    known = [index for index, found in enumerate(each) if found.mean is not None] or [0]
    picked = extreme(known, key=lambda index: each[index].mean or 0.0)
    found = replace(each[picked], low=extreme(found.low for found in each), high=extreme(found.high for found in each))
    verdict = True if band.holds(found) else False if band.excludes(found) else None
    # Other points bound the extreme, too, so what is unknown of them bears on it.
    notes = tuple(dict.fromkeys(note for index in known for note in quantities[index].sample.notes))
    quantity = replace(quantities[picked], sample=replace(quantities[picked].sample, notes=notes))
    return [_check(points[picked], quantity, found, verdict, band)]


def deciding(checks: Sequence[Check]) -> Check:
    """Return the check that settles a claim about all of them: a failed one, an open one, or the narrowest."""
    for verdict in (False, None):
        for check in checks:
            if check.holds is verdict:
                return check
    return min(checks, key=lambda check: check.room)


def finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _check(point: Mapping[str, Any], quantity: Quantity, found: Estimate, verdict: bool | None, band: Band) -> Check:
    reason = "" if verdict is not None else undecided(quantity, found)
    notes = "; ".join(quantity.sample.notes)
    return Check(point, quantity, found, verdict, "; ".join(filter(None, (notes, reason))), band.room(found))


def undecided(quantity: Quantity, found: Estimate) -> str:
    """Return why nothing is certain."""
    if quantity.sample.missing:
        return quantity.sample.missing
    if found.n == 1:
        return "one seed gives no interval"
    if quantity.unknown_low(found) and found.high == inf:
        return "so nothing is known of how they compare"
    return "the interval leaves it open"
