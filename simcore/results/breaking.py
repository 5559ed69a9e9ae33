"""Breaking points: up to which load does a system keep its promise?

Along a sweep of the arrival rate, a system breaks where the share of requests within the SLO falls through a
target. Per seed that is a straight line between the last rate that keeps the target and the next one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any, Literal

from simcore.results.stats import Interval, Run, interval, point_text, verdict

RATE = "workload.rate"
TARGET = 0.9

Curves = dict[tuple[str, str], dict[int, list[tuple[float, float]]]]
"""(rate, attained) by (system, JSON text of the other sweep keys) and seed."""

Where = Literal["crossed", "below the lowest rate", "above the highest rate"]


@dataclass(frozen=True, slots=True)
class Break:
    """Where one run series broke. Outside the sweep `rate` is the nearest swept rate: a bound, not an estimate."""

    rate: float
    where: Where


def break_of(curve: Sequence[tuple[float, float]], target: float = TARGET) -> Break:
    """Return where attainment falls below `target` for good.

    Args:
        curve: (rate, attainment), one or more, rates ascending.

    >>> break_of([(1, 1.0), (2, 1.0), (4, 0.5)], target=0.75)
    Break(rate=3.0, where='crossed')
    """
    kept = [index for index, (_, attained) in enumerate(curve) if attained >= target]
    if not kept:
        return Break(curve[0][0], "below the lowest rate")
    if kept[-1] == len(curve) - 1:
        return Break(curve[-1][0], "above the highest rate")
    (rate, attained), (next_rate, next_attained) = curve[kept[-1] : kept[-1] + 2]
    return Break(rate + (next_rate - rate) * (attained - target) / (attained - next_attained), "crossed")


def breaking_points(
    runs: Sequence[Run], *, target: float = TARGET, metric: str = "slo_attainment", along: str = RATE
) -> list[dict[str, Any]]:
    """Return the breaking point of each system, at each combination of the other sweep keys.

    Each is {system, point (without the rate), target, rates, seeds: [{seed, rate, where}], where, n, rate, ci_low,
    ci_high, against}. `where` is what all seeds say, else "differs by seed"; unless all crossed, rate and interval
    are None. A seed without a run at every rate (one failed) is left out. `against` compares with the first system,
    seed by seed: {baseline, n, difference, ci_low, ci_high, ratio, ratio_ci_low, ratio_ci_high, verdict}, or None.
    Ratios are geometric means over seeds. Returns [] for a study that does not sweep `along` over two rates or more,
    or has no `metric`.
    """
    curves = _complete(_curves(runs, metric, along))
    breaks = {
        key: {seed: break_of(sorted(curve), target) for seed, curve in by_seed.items()}
        for key, by_seed in curves.items()
    }
    first = runs[0]["system"] if runs else ""
    points = {point_text(point): point for point in (_without(run["point"], along) for run in runs)}
    found = []
    for (system, point), by_seed in breaks.items():
        baseline = breaks.get((first, point)) if system != first else None
        entry = {"system": system, "point": points[point], "target": target}
        rates = sorted({rate for curve in curves[system, point].values() for rate, _ in curve})
        entry |= {"rates": rates, **_summary(by_seed)}
        entry["against"] = _against(by_seed, baseline, first) if baseline else None
        found.append(entry)
    return found


def _curves(runs: Sequence[Run], metric: str, along: str) -> Curves:
    curves: Curves = {}
    for run in runs:
        attained = run["metrics"].get(metric)
        if along in run["point"] and attained is not None:
            key = run["system"], point_text(_without(run["point"], along))
            curves.setdefault(key, {}).setdefault(run["seed"], []).append((run["point"][along], attained))
    return curves


def _complete(curves: Curves) -> Curves:
    """Return the curves of two rates or more, only seeds that have them all."""
    complete = {}
    for key, by_seed in curves.items():
        rates = {rate for curve in by_seed.values() for rate, _ in curve}
        kept = {seed: curve for seed, curve in by_seed.items() if len(curve) == len(rates)}
        if len(rates) > 1 and kept:
            complete[key] = kept
    return complete


def _without(point: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in point.items() if name != key}


def _summary(by_seed: Mapping[int, Break]) -> dict[str, Any]:
    wheres = list(dict.fromkeys(found.where for found in by_seed.values()))
    where = wheres[0] if len(wheres) == 1 else "differs by seed"
    rate = interval([found.rate for found in by_seed.values()]) if where == "crossed" else None
    return {
        "seeds": [{"seed": seed, "rate": found.rate, "where": found.where} for seed, found in by_seed.items()],
        "where": where,
        "n": len(by_seed),
        "rate": rate.mean if rate else None,
        "ci_low": rate.low if rate else None,
        "ci_high": rate.high if rate else None,
    }


def _against(ours: Mapping[int, Break], theirs: Mapping[int, Break], baseline: str) -> dict[str, Any] | None:
    """Compare two systems over the seeds where both crossed the target; None if there is none."""
    pairs = [(ours[seed], theirs[seed]) for seed in ours if seed in theirs]
    crossed = [(a.rate, b.rate) for a, b in pairs if a.where == b.where == "crossed"]
    if not crossed or len(crossed) < len(pairs):
        return None
    difference = interval([a - b for a, b in crossed])
    ratio = _exp(interval([log(a / b) for a, b in crossed]))
    return {
        "baseline": baseline,
        "n": difference.n,
        "difference": difference.mean,
        "ci_low": difference.low,
        "ci_high": difference.high,
        "ratio": ratio.mean,
        "ratio_ci_low": ratio.low,
        "ratio_ci_high": ratio.high,
        "verdict": verdict(difference, 1),
    }


def _exp(logs: Interval) -> Interval:
    low, high = (None if bound is None else exp(bound) for bound in (logs.low, logs.high))
    return Interval(logs.n, exp(logs.mean), low, high)
