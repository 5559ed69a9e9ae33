"""Standing: who is ahead by one measure, and how surely, from values that systems have seed by seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log

from simcore.results.stats import Interval, Run, interval

Values = Mapping[str, Mapping[int, float]]
"""System -> seed -> value."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Systems from best to worst.

    Args:
        means: mean over seeds of each, the best first; equals stay in the order of the study.
        tied: those that are not certainly behind the best, which is not among them.
        lead: of the best over the next: how many times as much, or (`in_ratio` false) how much more; None if alone.
    """

    means: Mapping[str, Interval]
    tied: tuple[str, ...]
    lead: Interval | None
    in_ratio: bool

    @property
    def best(self) -> str:
        return next(iter(self.means))

    @property
    def next(self) -> str | None:
        return next(iter(list(self.means)[1:]), None)

    @property
    def level(self) -> bool:
        """Whether all systems have the same value."""
        return len({found.mean for found in self.means.values()}) == 1

    @property
    def beaten(self) -> tuple[str, ...]:
        """Those that are certainly behind, at 95% each."""
        return tuple(name for name in self.means if name != self.best and name not in self.tied)


def stand(values: Values, *, more_is_better: bool, in_ratio: bool) -> Standing:
    """Return how systems stand; each difference is taken seed by seed, over the seeds both have.

    Args:
        values: one or more systems, each with a value for one seed or more; all > 0 if `in_ratio`.
        in_ratio: compare by quotients (geometric means over seeds), else by differences.

    >>> standing = stand({"a": {0: 1.0, 1: 1.1}, "b": {0: 2.0, 1: 2.2}}, more_is_better=True, in_ratio=True)
    >>> standing.best, standing.tied, round(standing.lead.mean, 6)
    ('b', (), 2.0)
    """
    sign = 1 if more_is_better else -1
    found = {system: interval(list(by_seed.values())) for system, by_seed in values.items()}
    means = dict(sorted(found.items(), key=lambda entry: -sign * entry[1].mean))
    best, *others = means
    leads = {name: _lead(values[best], values[name], in_ratio) for name in others}
    tied = tuple(
        name for name, lead in leads.items() if lead is None or not _ahead(lead, sign, 1.0 if in_ratio else 0.0)
    )
    return Standing(means, tied, leads[others[0]] if others else None, in_ratio)


def _lead(ours: Mapping[int, float], theirs: Mapping[int, float], in_ratio: bool) -> Interval | None:
    pairs = [(ours[seed], theirs[seed]) for seed in ours if seed in theirs]
    if not pairs:
        return None
    if not in_ratio:
        return interval([a - b for a, b in pairs])
    logs = interval([log(a) - log(b) for a, b in pairs])
    low, high = (None if bound is None else exp(bound) for bound in (logs.low, logs.high))
    return Interval(logs.n, exp(logs.mean), low, high)


def _ahead(lead: Interval, sign: int, none: float) -> bool:
    """Return whether the interval of a lead leaves out that there is none."""
    if lead.low is None or lead.high is None:
        return False
    return lead.low > none if sign > 0 else lead.high < none


def by_seed(runs: Sequence[Run], metric: str) -> dict[str, dict[int, float]]:
    """Return a metric by system and seed; runs without it are left out."""
    values: dict[str, dict[int, float]] = {}
    for run in runs:
        value = run["metrics"].get(metric)
        if value is not None:
            values.setdefault(run["system"], {})[run["seed"]] = value
    return values
