"""Claims: what a paper or a team says of the systems of a study, held against the study's own runs.

A claim holds, fails, or stays open; which of them is never chosen here, only found. Rules: docs/claims.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import inf
from typing import Any, Literal

from simcore.results.claims_check import (
    Check,
    amount,
    checked_at_extreme,
    checked_everywhere,
    deciding,
    finite,
)
from simcore.results.claims_metrics import Measurements, full_key, without
from simcore.results.claims_relation import AMOUNTS, ORDERS, Band, Relation
from simcore.results.claims_sample import Sample
from simcore.results.claims_trend import trend
from simcore.results.claims_wording import band_said, unit_of, why
from simcore.results.stats import Run, point_text

Paper = float | tuple[float, ...] | str | None
At = Mapping[str, Any] | Literal["all", "best", "worst"]


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim, as a study writes it; docs/claims.md says what each key means.

    Args:
        claim: in words.
        metric: a metric of `summary.json`, or `breaking_point`.
        systems: compared in this order; the last of two is the base.
        at: sweep keys and values, by full name or last part; or which of the points.
        min, max, within: how much it may be; `within` is a share of the paper's number, for `flat` of the first value.
        per: metric the first is divided by.
        even_overloaded: whether waits of overloaded runs count as they are.
    """

    claim: str
    metric: str
    systems: tuple[str, ...]
    relation: Relation
    at: At = "all"
    min: float | None = None
    max: float | None = None
    within: float | None = None
    paper: Paper = None
    source: str = ""
    per: str | None = None
    request_class: str | None = None
    even_overloaded: bool = False

    @property
    def subject(self) -> str:
        """What is measured, in words."""
        of_whom = f" of {self.request_class}" if self.request_class else ""
        gain = f" of {self.systems[0]} over {self.systems[1]}" if self.relation.along and len(self.systems) > 1 else ""
        return self.metric + (f" per {self.per}" if self.per else "") + of_whom + gain

    @property
    def unit(self) -> str:
        return "" if self.per else unit_of(self.metric)

    @property
    def wanted(self) -> str:
        """How much it may be, in words; empty where the claim is about an order or a shape."""
        if self.relation.kind in AMOUNTS:
            return band_said(self.band, self.relation.kind, self.unit)
        return f"within {100 * self.within:g}% of the first" if self.within is not None else ""

    @property
    def band(self) -> Band:
        """What values of the quantity the claim allows."""
        if self.relation.kind in ORDERS:
            return Band.of_order(self.relation.kind)
        if self.within is None:
            return Band(-inf if self.min is None else self.min, inf if self.max is None else self.max)
        assert isinstance(self.paper, int | float | tuple), "the study is checked"
        ends = self.paper if isinstance(self.paper, tuple) else (self.paper,)
        slack = self.within * max(abs(end) for end in ends)
        return Band(min(ends) - slack, max(ends) + slack)


def check_claims(
    claims: Sequence[Claim], runs: Sequence[Run], breaking: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return each claim with what the runs say of it, as it stands in `summary.json`.

    Args:
        runs: entries of `runs` in summary.json.
        breaking: entries of `breaking`.

    Keys: claim, source, paper, here, ci_low, ci_high, holds (true, false, null: open), why; metric, per,
    request_class, systems, relation, at, quantity (what `here` is: a ratio, reduction, difference, value; along a
    sweep a factor or change), n (seeds), confidence; and `checks`, the same of each point or pair looked at.
    """
    table = Measurements(runs, breaking)
    return [_entry(claim, _checks(claim, table)) for claim in claims]


def _entry(claim: Claim, checks: Sequence[Check]) -> dict[str, Any]:
    decisive = deciding(checks)
    found = decisive.estimate
    return {
        "claim": claim.claim,
        "source": claim.source or None,
        "paper": list(claim.paper) if isinstance(claim.paper, tuple) else claim.paper,
        "here": found.mean,
        "ci_low": finite(found.low),
        "ci_high": finite(found.high),
        "holds": decisive.holds,
        "why": why(claim.subject, claim.unit, decisive, checks, claim.wanted),
        "metric": claim.metric,
        "per": claim.per,
        "request_class": claim.request_class,
        "systems": list(claim.systems),
        "relation": str(claim.relation),
        "at": claim.at if isinstance(claim.at, str) else dict(claim.at),
        "quantity": decisive.quantity.name,
        "n": found.n,
        "confidence": found.confidence,
        "checks": [check.as_dict() for check in checks],
    }


def _checks(claim: Claim, table: Measurements) -> list[Check]:
    measured = partial(
        table.sample, per=claim.per, request_class=claim.request_class, even_overloaded=claim.even_overloaded
    )
    points = [point for point in table.points(claim.metric) if _is_at(point, claim.at)]
    # Without a point there still is one check, which says what is missing.
    points = points or [dict(claim.at) if isinstance(claim.at, Mapping) else {}]
    if claim.relation.along is not None:
        return _trends(claim, points, measured)
    pairs = list(pairwise(claim.systems)) if len(claim.systems) > 1 else [claim.systems]
    places = [(point, pair) for point in points for pair in pairs]
    at = [point for point, _ in places]
    quantities = [
        amount(claim.relation.quantity, {system: measured(claim.metric, system, point) for system in pair})
        for point, pair in places
    ]
    if claim.at in ("best", "worst"):
        favoured = claim.band.favours_more(1.0 if claim.relation.kind == "ratio" else 0.0)
        return checked_at_extreme(at, quantities, claim.band, largest=favoured == (claim.at == "best"))
    return checked_everywhere(at, quantities, claim.band)


def _trends(claim: Claim, points: Sequence[Mapping[str, Any]], measured: Any) -> list[Check]:
    """Return a check for each combination of the other sweep keys."""
    assert claim.relation.along is not None, "a trend has a key"
    checks = []
    for rest in {point_text(_rest(point, claim)): _rest(point, claim) for point in points}.values():
        key = full_key(claim.relation.along, points[0]) or claim.relation.along
        here = [point for point in points if key in point and _rest(point, claim) == rest]
        along: dict[Any, Sample] = {}
        for point in sorted(here, key=lambda point: _order(point[key])):
            samples = [measured(claim.metric, system, point) for system in claim.systems]
            along[point[key]] = samples[0] if len(samples) == 1 else _ratio(*samples)
        if len(along) < 2:
            along = {"": Sample(missing=f"the run has fewer than two values of {claim.relation.along}")}
        checks.append(trend(claim.relation.kind, rest, along, claim.within))
    return checks


def _ratio(ours: Sample, theirs: Sample) -> Sample:
    if ours.missing or theirs.missing or not theirs.positive:
        return Sample(missing=ours.missing or theirs.missing or "a ratio needs values above 0")
    return ours.over(theirs)


def _rest(point: Mapping[str, Any], claim: Claim) -> dict[str, Any]:
    return without(point, full_key(claim.relation.along or "", point) or "")


def _order(value: Any) -> tuple[int, float]:
    """Return a key that sorts numbers by size and leaves all else as it was written."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return (0, float(value)) if is_number else (1, 0.0)


def _is_at(point: Mapping[str, Any], at: At) -> bool:
    if isinstance(at, str):
        return True
    keys = {full_key(name, point): value for name, value in at.items()}
    return all(key is not None and point[key] == value for key, value in keys.items())
