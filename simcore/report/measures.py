"""Measures: by what a verdict ranks systems, and how it says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simcore.report.numbers import MINUS, with_interval
from simcore.results.stats import Interval
from simcore.results.wording import SHARES, number


@dataclass(frozen=True, slots=True)
class Measure:
    """One way to be ahead.

    Args:
        metric: key of the metric; empty for the breaking point.
        unit: what stands behind a value.
        ahead: what the best one does: "carries the most load".
        alone: a system's value, as a sentence without its end: "{system} keeps … up to {value}".
        value: the best one's value, behind a colon: "… up to {value}".
        more_is_better: else less is.
    """

    metric: str
    unit: str
    ahead: str
    alone: str
    value: str = "{value}"
    more_is_better: bool = True

    @property
    def is_share(self) -> bool:
        return self.metric in SHARES

    def said(self, found: Interval) -> str:
        """Return a value with its half width and unit."""
        if self.is_share:
            half = "" if found.half_width is None else f" ± {100 * found.half_width:.1f}"
            return f"{100 * found.mean:.1f}{half}%"
        if not self.metric:
            half = "" if found.half_width is None else f" ± {found.half_width:.1f}"
            return f"{found.mean:.1f}{half} {self.unit}"
        return f"{with_interval(found)} {self.unit}"

    def lead(self, found: Interval, *, in_ratio: bool) -> str:
        """Return by how much the best one leads, with the interval of that: in its favour where more than 1x, or 0."""
        sign = 1 if in_ratio or self.more_is_better else -1
        mean, *ends = (None if value is None else sign * value for value in (found.mean, found.low, found.high))
        said = self._lead(mean, in_ratio)
        if in_ratio:
            said += "x"
        elif self.is_share:
            said += " points"
        else:
            said += f" {self.unit}"
        low, high = ends[::sign]
        return said if low is None else f"{said}, 95% CI {self._lead(low, in_ratio)} to {self._lead(high, in_ratio)}"

    def _lead(self, value: float | None, in_ratio: bool) -> str:
        assert value is not None, "an interval has both ends or none"
        if in_ratio:
            return f"{value:.2f}" if abs(value - 1) >= 0.01 else f"{value:.4f}"
        return (f"{100 * value:.1f}" if self.is_share else number(value)).replace("-", MINUS)


def breaking_measure(target: float) -> Measure:
    """Return the measure of a sweep over the arrival rate with an SLO."""
    share = f"{100 * target:g}% of requests within the SLO"
    return Measure(
        "", "req/s", "carries the most load", f"{{system}} keeps {share} up to {{value}}", f"{share} up to {{value}}"
    )


_ATTAINMENT = Measure(
    "slo_attainment",
    "%",
    "serves the most requests within the SLO",
    "{system} serves {value} of requests within the SLO",
)
_OTHERS = (
    Measure(
        "perf/rollout_time",
        "s",
        "finishes rollouts first",
        "{system} takes {value} for a rollout",
        more_is_better=False,
    ),
    Measure(
        "job_completion_time_s_mean",
        "s",
        "has the shortest mean job completion time",
        "{system} completes a job in {value} on average",
        more_is_better=False,
    ),
)
_BATCH = Measure(
    "output_throughput",
    "tok/s",
    "generates the most tokens per second",
    "{system} generates {value} from first to last",
)
_LATENCY = Measure(
    "mean_e2el_ms",
    "ms",
    "has the lowest mean end-to-end latency",
    "{system} has a mean end-to-end latency of {value}",
    more_is_better=False,
)


def metric_measure(summary: Mapping[str, Any], *, all_at_once: bool) -> Measure:
    """Return what a study without breaking points is ranked by: the SLO if it has one, else what its traffic is about.

    Args:
        all_at_once: whether all requests arrive together, so that latencies describe the length of the batch.
    """
    if summary["slo"]:
        return _ATTAINMENT
    for measure in _OTHERS:
        if any(run["metrics"].get(measure.metric) is not None for run in summary["runs"]):
            return measure
    return _BATCH if all_at_once else _LATENCY
