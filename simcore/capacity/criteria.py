"""Criteria: what a run must show so that its load counts as carried, and by how much it does."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any, Literal

from simcore.results.claims_metrics import metric_names
from simcore.results.stats import direction
from simcore.results.wording import SHARES
from simcore.study.errors import Problem, StudyError, unknown

ATTAINMENT = "slo_attainment"
FARTHEST = 5.0
"""Margins are held within this: far from the edge only the sign matters."""
NEAREST = 1e-9
_LEAST = 1e-12
OVERLOADED = -0.05
"""The margin of an overloaded run that meets the criteria is this: it would not, had it been longer."""

Relation = Literal["<=", ">="]
_WRITTEN = re.compile(r"\s*([A-Za-z0-9_.]+)\s*(<=|>=)\s*([-+0-9.eE]+)\s*")


@dataclass(frozen=True, slots=True)
class Criterion:
    """A metric of the whole run and its bound, in the metric's unit.

    >>> str(Criterion("p99_ttft_ms", "<=", 500.0))
    'p99_ttft_ms <= 500'
    """

    metric: str
    relation: Relation
    bound: float

    def __str__(self) -> str:
        return f"{self.metric} {self.relation} {self.bound:g}"

    def met(self, value: float) -> bool:
        return value <= self.bound if self.relation == "<=" else value >= self.bound

    def margin(self, value: float | None) -> float:
        """Return how far within the bound a value lies: 0 on it, below 0 beyond it or without a value.

        In logarithms, of shares in logits: along a load they come close to straight lines, which root finders like.

        >>> criterion = Criterion("p99_ttft_ms", "<=", 500.0)
        >>> round(criterion.margin(250.0), 3), round(criterion.margin(1000.0), 3), criterion.margin(None)
        (0.693, -0.693, -5.0)
        """
        if value is None:
            return -FARTHEST
        scale = _logit if self.metric in SHARES else _log
        apart = scale(value) - scale(self.bound)
        return min(max(apart if self.relation == ">=" else -apart, -FARTHEST), FARTHEST)


def margin_of(run: Mapping[str, Any], criteria: Sequence[Criterion]) -> float:
    """Return the least margin of a run {state, metrics}: above 0 if it meets all criteria and keeps up."""
    values = [run["metrics"].get(each.metric) for each in criteria]
    least = min(each.margin(value) for each, value in zip(criteria, values, strict=True))
    if any(value is None or not each.met(value) for each, value in zip(criteria, values, strict=True)):
        return min(least, -NEAREST)
    return OVERLOADED if run["state"] == "OVERLOADED" else max(least, NEAREST)


def read_criteria(
    limits: Sequence[str], metric: str | None, target: float | None, attainment: float
) -> tuple[Criterion, ...]:
    """Return what the user asks for; without a word of theirs, the study's `slo.attainment`.

    Args:
        limits: texts such as `p99_ttft_ms<=500`.
        metric, target: a metric and its bound, the side of it by which is better.

    Raises StudyError for a metric that no run has, or one without a bound or a better side.
    """
    criteria = [_read(text) for text in limits]
    if metric is None and target is None:
        return tuple(criteria) or (Criterion(ATTAINMENT, ">=", attainment),)
    name = ATTAINMENT if metric is None else metric
    _check_metric("--metric", name)
    better = direction(name)
    if not better:
        raise _wrong("--metric", f"neither more nor less {name} is better; write --slo '{name}<=…' or '{name}>=…'")
    if target is None and name != ATTAINMENT:
        raise _wrong("--metric", f"{name} needs a bound: --target …")
    return *criteria, Criterion(name, ">=" if better > 0 else "<=", attainment if target is None else target)


def _read(text: str) -> Criterion:
    place = f"--slo '{text}'"
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise _wrong(place, f"must be METRIC<=NUMBER or METRIC>=NUMBER, got '{text}'")
    metric, relation, bound = found.groups()
    _check_metric(place, metric)
    try:
        return Criterion(metric, "<=" if relation == "<=" else ">=", float(bound))
    except ValueError:
        raise _wrong(place, f"the bound must be a number, got '{bound}'") from None


def _check_metric(place: str, name: str) -> None:
    known = metric_names()
    if name not in known:
        raise _wrong(place, unknown("metric", name, known))


def _wrong(place: str, message: str) -> StudyError:
    return StudyError([Problem(place, "", message)])


def _log(value: float) -> float:
    return log(max(value, _LEAST))


def _logit(share: float) -> float:
    return _log(share) - _log(1 - share)
