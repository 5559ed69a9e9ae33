"""Compare: two results side by side, B against A, metric by metric, and how far their latencies lie apart.

A is what B is measured against: a real run, say, and B the simulated one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from simcore.results.compare_rows import batch_difference, welch
from simcore.results.compare_source import MeasuredRun, ResultError, Source
from simcore.results.compare_warnings import warnings
from simcore.results.stats import Interval, interval

_FIRST = (
    *("arrived", "completed", "failed", "rejected", "cancelled", "unfinished", "duration"),
    *("total_input_tokens", "total_output_tokens"),
    *("request_throughput", "request_goodput", "slo_attainment", "output_throughput", "total_token_throughput"),
    *("max_output_tokens_per_s", "max_concurrent_requests", "preemptions"),
)
_LATENCIES = ("ttft", "tpot", "itl", "e2el")
_STATISTICS = ("mean", "median", "std", "p90", "p95", "p99", "p99.9")
SHOWN = (*_FIRST, *(f"{statistic}_{name}_ms" for name in _LATENCIES for statistic in _STATISTICS))
"""Metrics of the comparison, in order. Counters of mechanisms and job times follow as the results have them."""
ERRORS = tuple(key for key in SHOWN if key.endswith("_ms") and not key.startswith("std_"))
"""Latencies whose errors are averaged: a spread is no latency."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of both. `relative`: of A; None where A is 0. `method`: how the interval was made, empty without."""

    metric: str
    a: float
    b: float
    difference: float
    relative: float | None
    ci_low: float | None = None
    ci_high: float | None = None
    method: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Runs of A and B that belong together: one system at one point in each, its seeds."""

    a: Sequence[MeasuredRun]
    b: Sequence[MeasuredRun]
    metrics: Sequence[Difference]

    @property
    def errors(self) -> dict[str, float]:
        """Absolute relative differences of the latencies both have, by metric."""
        latencies = (each for each in self.metrics if each.metric in ERRORS)
        return {each.metric: abs(each.relative) for each in latencies if each.relative is not None}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two results, pair by pair. `alone`: runs that only one of them has."""

    a: Source
    b: Source
    pairs: Sequence[Pair]
    warnings: Sequence[str]
    alone: Sequence[str] = ()

    @property
    def mean_error(self) -> float | None:
        """Mean absolute relative error of all latencies of all pairs (MAPE, as a share); None without any."""
        errors = [error for pair in self.pairs for error in pair.errors.values()]
        return sum(errors) / len(errors) if errors else None

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON."""
        return {
            "a": self.a.label,
            "b": self.b.label,
            "mean_error": self.mean_error,
            "pairs": [
                {
                    "a": pair.a[0].name,
                    "b": pair.b[0].name,
                    "seeds": [len(pair.a), len(pair.b)],
                    "mean_error": sum(pair.errors.values()) / len(pair.errors) if pair.errors else None,
                    "metrics": [asdict(each) for each in pair.metrics],
                }
                for pair in self.pairs
            ],
            "warnings": list(self.warnings),
            "alone": list(self.alone),
        }


def compare(a: Source, b: Source) -> Comparison:
    """Compare two results: run by run if both are of one study, else the only run of each.

    Raises ResultError where it is not clear which runs to compare, or they have no metric in common.
    """
    same_study = bool(a.study) and a.study == b.study
    ours, theirs = a.groups(), b.groups()
    shared = [name for name in ours if name in theirs]
    if same_study and shared:
        pairs = [pair_of(ours[name], theirs[name], same_study=True) for name in shared]
        alone = [
            f"{name}: only in {source.label}"
            for source, mine, others in ((a, ours, theirs), (b, theirs, ours))
            for name in mine
            if name not in others
        ]
    else:
        pairs, alone = [pair_of(a.only(), b.only(), same_study=same_study)], []
    if not any(pair.metrics for pair in pairs):
        raise ResultError(f"{a.label} and {b.label} have no metric in common")
    said = dict.fromkeys(warning for pair in pairs for warning in warnings(pair.a, pair.b))
    return Comparison(a, b, pairs, list(said), alone)


def pair_of(a: Sequence[MeasuredRun], b: Sequence[MeasuredRun], *, same_study: bool = False) -> Pair:
    """Return the differences of B's runs from A's, in the metrics that all have."""
    keys = [key for key in a[0].metrics if all(key in run.metrics for run in (*a, *b))]
    ordered = [*(key for key in SHOWN if key in keys), *(key for key in keys if key not in SHOWN)]
    return Pair(a, b, list(_differences(ordered, a, b, same_study)))


def _differences(
    keys: Sequence[str], a: Sequence[MeasuredRun], b: Sequence[MeasuredRun], same_study: bool
) -> Iterator[Difference]:
    rows = [run.rows() for run in (a[0], b[0]) if run.rows is not None] if len(a) == len(b) == 1 else []
    for key in keys:
        base = sum(run.metrics[key] for run in a) / len(a)
        mean = sum(run.metrics[key] for run in b) / len(b)
        found: Interval | None = None
        method = ""
        if len(a) > 1 and len(b) > 1:
            found, method = _over_seeds(key, a, b, same_study)
        elif len(rows) == 2 and (name := _mean_of(key)) is not None:
            found = batch_difference(rows[1], rows[0], name)
            method = "batches of requests" if found else ""
        low, high = (found.low, found.high) if found else (None, None)
        relative = (mean - base) / base if base else 0.0 if mean == base else None
        yield Difference(key, base, mean, mean - base, relative, low, high, method)


def _over_seeds(key: str, a: Sequence[MeasuredRun], b: Sequence[MeasuredRun], same_study: bool) -> tuple[Interval, str]:
    """Return the difference seed by seed where equal seeds mean equal requests, else that of two samples."""
    ours, theirs = ({run.seed: run.metrics[key] for run in runs} for runs in (b, a))
    shared = [seed for seed in ours if seed in theirs]
    if same_study and len(shared) == len(ours) == len(theirs):
        return interval([ours[seed] - theirs[seed] for seed in shared]), "seed by seed"
    return welch(list(ours.values()), list(theirs.values())), "two samples of seeds"


def _mean_of(key: str) -> str | None:
    """Return the latency whose mean a metric is.

    >>> _mean_of("mean_ttft_ms"), _mean_of("p99_ttft_ms")
    ('ttft', None)
    """
    name = key.removeprefix("mean_").removesuffix("_ms")
    return name if f"mean_{name}_ms" == key and name in ("ttft", "tpot", "e2el") else None


def share_of(text: str) -> float:
    """Return a share written as a percentage or a number. Raises ResultError for anything else, and below 0.

    >>> share_of("5%"), share_of("0.05")
    (0.05, 0.05)
    """
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ResultError(f"--max-error must be a share >= 0 such as 5% or 0.05, got {text!r}")
    return value


def selection(assignments: Sequence[str]) -> Mapping[str, str]:
    """Return `key=value` texts as a mapping. Raises ResultError for one that is no such text."""
    chosen = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not (key and equals):
            raise ResultError(f"--at must be key=value, got {assignment!r}")
        chosen[key] = value
    return chosen
