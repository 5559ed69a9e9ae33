"""Latencies: TTFT, TPOT and end-to-end latency of requests, and relative errors of their means and percentiles."""

from dataclasses import dataclass

import numpy as np

from simcore.validation.server_run import Counts, Seconds, ServerRun

METRICS = ("TTFT", "TPOT", "E2EL")
STATISTICS = ("mean", "median", "p90", "p95", "p99")


@dataclass(frozen=True, slots=True)
class Latencies:
    """Seconds, [n] each; `tpot` only of requests with two tokens or more."""

    ttft: Seconds
    tpot: Seconds
    e2el: Seconds

    def of(self, metric: str) -> Seconds:
        """Return a metric by its name."""
        return {"TTFT": self.ttft, "TPOT": self.tpot, "E2EL": self.e2el}[metric]


def latencies(arrival: Seconds, first: Seconds, last: Seconds, output: Counts) -> Latencies:
    """Return the latencies of requests by the dates of their arrival, first and last token."""
    more = output > 1
    return Latencies(first - arrival, (last - first)[more] / (output[more] - 1), last - arrival)


def measured(run: ServerRun) -> Latencies:
    """Return a server's latencies."""
    return latencies(run.arrival_s, run.first_s, run.last_s, run.output)


def percentiles(found: Latencies) -> dict[str, float]:
    """Return mean and percentiles of each metric by its name, as "TTFT mean", seconds."""
    named: dict[str, float] = {}
    for metric in METRICS:
        values = found.of(metric)
        numbers = (values.mean(), *np.percentile(values, (50, 90, 95, 99)))
        named |= {f"{metric} {name}": float(x) for name, x in zip(STATISTICS, numbers, strict=True)}
    return named


def errors(simulated: Latencies, real: Latencies) -> dict[str, float]:
    """Return (simulated - real) / real of each statistic."""
    there = percentiles(real)
    return {name: value / there[name] - 1 for name, value in percentiles(simulated).items()}
