"""Metrics: what a run was worth, with the keys and formulas of `vllm bench serve`.

Formulas and names: docs/metrics.md; vLLM's are those of vllm/benchmarks/serve.py at commit 009e6d4a. One column is in
memory at a time, so ten million requests need some 200 MB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simcore.results.columns import RequestColumns, WarmUp
from simcore.results.fairness import fairness_metrics
from simcore.results.itl import pooled_itl
from simcore.results.peaks import TokenSeconds, peak_concurrency
from simcore.results.programs import program_metrics
from simcore.results.schema import STATES, Health
from simcore.results.slo import MS_PER_S, Slo
from simcore.results.spill import read_steps
from simcore.results.state import PARTS, classify, count_by_part
from simcore.results.totals import Metrics, Totals

PERCENTILES = (90.0, 95.0, 99.0)
MANY = 10_000
"""Completed requests from which on the 99.9th percentile is worth printing."""


@dataclass(frozen=True, slots=True)
class CellMetrics:
    """What a run amounts to. `classes`: metrics of each class, by name; empty where there is only one."""

    metrics: Metrics
    state: Health
    classes: Mapping[str, Metrics]


def cell_metrics(directory: Path, slo: Slo, warm_up: WarmUp, classes: Sequence[str]) -> CellMetrics:
    """Return the metrics and the state of the run whose rows lie in `directory`.

    A metric without data (no request finished, no SLO given) is None.
    """
    columns = RequestColumns(directory, warm_up, classes)
    totals = Totals(columns, slo)
    duration_s = totals.duration_s
    metrics: Metrics = {"duration": duration_s, **totals.metrics(duration_s)}
    metrics |= _peaks(directory, columns, totals)
    percentiles = _percentiles(totals)
    for name in ("ttft", "tpot"):
        metrics |= _statistics(name, columns.seconds(f"{name}_s"), percentiles)
    itl = pooled_itl(directory, (50.0, *percentiles), totals.first_ps)
    tail = {percentile: itl.percentiles_ms[percentile] for percentile in percentiles}
    metrics |= _keys("itl", itl.mean_ms, itl.percentiles_ms[50.0], itl.std_ms, tail)
    for name in ("e2el", "queue"):
        metrics |= _statistics(name, columns.seconds(f"{name}_s"), percentiles)
    everyone = columns.with_warm_up()
    metrics |= program_metrics(everyone, warm_up)
    metrics |= fairness_metrics(columns, slo)
    by_class = {}
    for index, name in enumerate(classes if len(classes) > 1 else ()):
        by_class[name] = _class_metrics(columns.of_class(index), slo.alone(index), duration_s)
    return CellMetrics(metrics, _state(everyone, (totals.first_ps, totals.last_arrival_ps)), by_class)


def _class_metrics(columns: RequestColumns, slo: Slo, duration_s: float) -> Metrics:
    """Return the metrics of one class; rates are over the duration of the whole run."""
    totals = Totals(columns, slo)
    metrics = totals.metrics(duration_s)
    for name in ("ttft", "tpot", "e2el", "queue"):
        metrics |= _statistics(name, columns.seconds(f"{name}_s"), _percentiles(totals))
    return metrics


def _percentiles(totals: Totals) -> tuple[float, ...]:
    return PERCENTILES if totals.counts["finished"] < MANY else (*PERCENTILES, 99.9)


def _peaks(directory: Path, columns: RequestColumns, totals: Totals) -> Metrics:
    arrivals = np.empty(totals.counts["finished"], np.int64)
    tokens = TokenSeconds(totals.first_ps, totals.last_finish_ps)
    filled = 0
    for arrival, first_token in columns.pieces("arrival_ps", "first_token_ps"):
        arrivals[filled : filled + len(arrival)] = arrival
        filled += len(arrival)
        tokens.add_dates(first_token)
    for rows in read_steps(directory, totals.first_ps):
        tokens.add_steps(rows)
    arrivals.sort()
    departures = (piece for (piece,) in columns.pieces("finished_ps"))
    return {
        "max_output_tokens_per_s": float(tokens.peak()),
        "max_concurrent_requests": peak_concurrency(arrivals, departures),
    }


def _statistics(name: str, seconds: NDArray[np.float64], percentiles: tuple[float, ...]) -> Metrics:
    """Return mean, median, population std and linear percentiles in milliseconds. Reorders `seconds`."""
    if not len(seconds):
        return _keys(name, None, None, None, dict.fromkeys(percentiles))
    mean = float(seconds.mean())
    squares = fsum(float(np.square(piece - mean).sum()) for piece in np.array_split(seconds, len(seconds) // MANY + 1))
    std = sqrt(squares / len(seconds))
    median, *tail = np.percentile(seconds, (50.0, *percentiles), overwrite_input=True).tolist()
    tail_ms = {percentile: value * MS_PER_S for percentile, value in zip(percentiles, tail, strict=True)}
    return _keys(name, mean * MS_PER_S, median * MS_PER_S, std * MS_PER_S, tail_ms)


def _keys(
    name: str, mean: float | None, median: float | None, std: float | None, percentiles: Mapping[float, float | None]
) -> Metrics:
    keys: Metrics = {f"mean_{name}_ms": mean, f"median_{name}_ms": median, f"std_{name}_ms": std}
    return keys | {f"p{percentile:g}_{name}_ms": value for percentile, value in percentiles.items()}


def _state(columns: RequestColumns, window_ps: tuple[int, int]) -> Health:
    """Return the state over the window, all requests counted: those of the warm-up queue too.

    A request that was turned away, or whose client gave it up, before it started counts as waiting to the end: it was
    not served. One that an instance lost waited until then. One that never could fit does not count.
    """
    arrivals = np.zeros(1 + PARTS, np.int64)
    starts = np.zeros(1 + PARTS, np.int64)
    for state in STATES:
        for arrival, scheduled, left in columns.pieces("arrival_ps", "scheduled_ps", "finished_ps", state=state):
            out = np.where((scheduled >= 0) | (state != "failed"), scheduled, left)
            counted = (scheduled >= 0) | (left >= 0) | (state == "unfinished")
            arrivals += count_by_part([arrival[counted]], *window_ps)
            starts += count_by_part([out[out >= 0]], *window_ps)
    return classify(arrivals, starts)
