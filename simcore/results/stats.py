"""Statistics across seeds: intervals from replications, and paired differences on common random numbers.

Seed i gives every system the same arrivals and lengths, so systems are compared seed by seed; what the seeds have in
common cancels. One seed gives a number, but no interval.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

CONFIDENCE = 0.95

Verdict = Literal["better", "worse", "undecided"]
Run = Mapping[str, Any]
"""One entry of `runs` in summary.json: {system, point, seed, state, metrics}."""

_HIGHER = ("request_throughput", "request_goodput", "slo_attainment", "token_goodput")
_HIGHER_COUNTS = ("output_throughput", "total_token_throughput", "completed", "programs_completed", "prefix_hit_rate")
_HIGHER_RATES = tuple(
    f"perf/{what}" for what in ("tokens_per_gpu_per_sec", "effective_tokens_per_gpu_per_sec", "trained_tokens_per_sec")
)
_LOWER = (
    *("perf/step_time", "perf/rollout_time", "perf/bubble_ratio", "rollout/dropped_token_share"),
    "failed",
    "rejected",
    "cancelled",
    "lost_requests",
    "unfinished",
    "preemptions",
    "timed_out",
    "requests_requeued",
)
_LOWER_ENDS = ("_ms", *(f"job_completion_time_s_{what}" for what in ("mean", "median", "p90", "p95", "p99")))


@dataclass(frozen=True, slots=True)
class Interval:
    """Mean of `n` replications and its t-interval, of 95% unless said; no interval when n is 1."""

    n: int
    mean: float
    low: float | None
    high: float | None

    @property
    def half_width(self) -> float | None:
        return None if self.high is None else self.high - self.mean

    def as_dict(self) -> dict[str, float | int | None]:
        return {"n": self.n, "mean": self.mean, "ci_low": self.low, "ci_high": self.high}


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Return mean and t-interval of at least one replication.

    >>> interval([2.0]), interval([1.0, 1.0]).high
    (Interval(n=1, mean=2.0, low=None, high=None), 1.0)
    """
    n = len(values)
    mean = sum(values) / n
    if n == 1:
        return Interval(1, mean, None, None)
    # scipy.special has the quantile of Student's t without the two seconds that scipy.stats takes to load.
    from scipy.special import stdtrit

    spread = sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * spread / sqrt(n)
    return Interval(n, mean, mean - half, mean + half)


def direction(metric: str) -> Literal[1, -1, 0]:
    """Return 1 if more of `metric` is better, -1 if less is, 0 if neither.

    >>> direction("slo_attainment"), direction("p99_ttft_ms"), direction("duration")
    (1, -1, 0)
    """
    if metric in (*_HIGHER, *_HIGHER_COUNTS, *_HIGHER_RATES):
        return 1
    if metric in _LOWER or metric.endswith(_LOWER_ENDS):
        return -1
    return 0


def verdict(difference: Interval, metric_direction: int) -> Verdict:
    """Return what a paired difference says: undecided if its interval holds zero or there is none."""
    if difference.low is None or difference.high is None or difference.low <= 0 <= difference.high:
        return "undecided"
    return "better" if difference.mean * metric_direction > 0 else "worse"


def grouped(runs: Sequence[Run]) -> dict[tuple[str, str], list[Run]]:
    """Return runs by (system, JSON text of the point), each in the order given."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run["system"], point_text(run["point"])), []).append(run)
    return groups


def point_text(point: Mapping[str, Any]) -> str:
    """Return a sweep point as JSON text with sorted keys.

    >>> point_text({"workload.rate": 8, "cluster.instances": 2})
    '{"cluster.instances": 2, "workload.rate": 8}'
    """
    import json

    return json.dumps(dict(point), sort_keys=True, ensure_ascii=False)


def over_seeds(runs: Sequence[Run], metric: str) -> Interval | None:
    """Return mean and interval of one metric over runs of one system at one point; None without data."""
    values = [run["metrics"][metric] for run in runs if run["metrics"].get(metric) is not None]
    return interval(values) if values else None


def paired(runs: Sequence[Run], baseline: Sequence[Run], metric: str) -> dict[str, Any] | None:
    """Return the paired difference of `metric` between two systems at one point, over the seeds both have.

    `relative` is the mean difference over the baseline's mean. None without a seed where both have the metric.
    """
    there = {run["seed"]: run["metrics"].get(metric) for run in baseline}
    pairs = [(run["metrics"].get(metric), there.get(run["seed"])) for run in runs]
    known = [(ours, theirs) for ours, theirs in pairs if ours is not None and theirs is not None]
    if not known:
        return None
    difference = interval([ours - theirs for ours, theirs in known])
    base = sum(theirs for _, theirs in known) / len(known)
    return {
        "n": difference.n,
        "mean": sum(ours for ours, _ in known) / len(known),
        "baseline_mean": base,
        "difference": difference.mean,
        "ci_low": difference.low,
        "ci_high": difference.high,
        "relative": difference.mean / base if base else None,
        "verdict": verdict(difference, direction(metric)),
    }


def comparisons(runs: Sequence[Run]) -> Iterator[dict[str, Any]]:
    """Yield the paired difference against the first system: per other system, point and metric with a direction."""
    groups = grouped(runs)
    first = runs[0]["system"] if runs else ""
    for (system, point), ours in groups.items():
        baseline = groups.get((first, point))
        if system == first or baseline is None:
            continue
        for metric in ours[0]["metrics"]:
            if direction(metric) and (found := paired(ours, baseline, metric)) is not None:
                yield {"system": system, "baseline": first, "point": ours[0]["point"], "metric": metric, **found}
