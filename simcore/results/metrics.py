"""Metrics: what a run was worth, with the keys and formulas of `vllm bench serve`.

Formulas and names: docs/metrics.md; vLLM's are those of vllm/benchmarks/serve.py at commit 009e6d4a. One column is in
memory at a time, so ten million requests need some 200 MB.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from math import fsum, inf, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simcore.contract import PS_PER_S
from simcore.results.columns import RequestColumns, WarmUp
from simcore.results.itl import pooled_itl
from simcore.results.peaks import TokenSeconds, peak_concurrency
from simcore.results.schema import SLO_KEYS, STATES, Health, State
from simcore.results.spill import read_steps
from simcore.results.state import PARTS, classify, count_by_part

Metrics = dict[str, float | int | None]

PERCENTILES = (90.0, 95.0, 99.0)
MANY = 10_000
"""Completed requests from which on the 99.9th percentile is worth printing."""

MS_PER_S = 1000


def check_slo(slo: Mapping[str, float]) -> None:
    """Raise ValueError unless every key is one of `SLO_KEYS` and every bound is >= 0."""
    for key, bound in slo.items():
        if key not in SLO_KEYS:
            near = get_close_matches(key, SLO_KEYS, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(f"slo: unknown key {key!r}; have {', '.join(SLO_KEYS)}{hint}")
        if not bound >= 0:
            raise ValueError(f"slo.{key} must be >= 0, got {bound}")


def cell_metrics(directory: Path, slo: Mapping[str, float], warm_up: WarmUp) -> tuple[Metrics, Health]:
    """Return the metrics and the state of the run whose rows lie in `directory`.

    A metric without data (no request finished, no SLO given) is None.
    """
    check_slo(slo)
    columns = RequestColumns(directory, warm_up)
    totals = _Totals(columns, slo)
    metrics = totals.metrics(slo)
    metrics |= _peaks(directory, columns, totals)
    percentiles = PERCENTILES if totals.counts["finished"] < MANY else (*PERCENTILES, 99.9)
    for name in ("ttft", "tpot"):
        metrics |= _statistics(name, columns.seconds(f"{name}_s"), percentiles)
    itl = pooled_itl(directory, (50.0, *percentiles), totals.first_ps)
    tail = {percentile: itl.percentiles_ms[percentile] for percentile in percentiles}
    metrics |= _keys("itl", itl.mean_ms, itl.percentiles_ms[50.0], itl.std_ms, tail)
    for name in ("e2el", "queue"):
        metrics |= _statistics(name, columns.seconds(f"{name}_s"), percentiles)
    return metrics, _state(columns.with_warm_up(), (totals.first_ps, totals.last_arrival_ps))


class _Totals:
    """Counts and sums over the requests that count, in one pass per state."""

    def __init__(self, columns: RequestColumns, slo: Mapping[str, float]) -> None:
        self.counts = dict.fromkeys(STATES, 0)
        self.preemptions = 0
        self.prompt_tokens = 0
        self.output_tokens = 0
        self.good = 0
        self.good_tokens = 0
        self.first_ps = 0
        self.last_arrival_ps = 0
        self.last_finish_ps = 0
        firsts: list[int] = []
        for state in STATES:
            for arrival, preemptions in columns.pieces("arrival_ps", "preemptions", state=state):
                self.counts[state] += len(arrival)
                self.preemptions += int(preemptions.sum())
                firsts.append(int(arrival.min()))
                self.last_arrival_ps = max(self.last_arrival_ps, int(arrival.max()))
        self.first_ps = min(firsts, default=0)
        names = ("finished_ps", "prompt_tokens", "output_tokens", "ttft_s", "tpot_s", "e2el_s")
        for finished, prompt, output, ttft, tpot, e2el in columns.pieces(*names):
            self.last_finish_ps = max(self.last_finish_ps, int(finished.max()))
            self.prompt_tokens += int(prompt.sum())
            self.output_tokens += int(output.sum())
            # vLLM's rule: a response of one token has no TPOT and meets every bound on it.
            good = _within(ttft, slo, "ttft_ms") & _within(np.nan_to_num(tpot), slo, "tpot_ms")
            good &= _within(e2el, slo, "e2el_ms")
            self.good += int(good.sum())
            self.good_tokens += int(output[good].sum())

    @property
    def arrived(self) -> int:
        return sum(self.counts.values())

    def metrics(self, slo: Mapping[str, float]) -> Metrics:
        completed, rejected, cancelled, unfinished = (self.counts[state] for state in STATES)
        duration = (self.last_finish_ps - self.first_ps) / PS_PER_S if completed else 0.0

        def per_second(amount: int) -> float | None:
            return amount / duration if duration > 0 else None

        return {
            "duration": duration,
            "arrived": self.arrived,
            "completed": completed,
            "failed": rejected + cancelled,
            "rejected": rejected,
            "cancelled": cancelled,
            "unfinished": unfinished,
            "preemptions": self.preemptions,
            "total_input_tokens": self.prompt_tokens,
            "total_output_tokens": self.output_tokens,
            "request_throughput": per_second(completed),
            "request_goodput": per_second(self.good) if slo else None,
            "slo_attainment": self.good / self.arrived if slo and self.arrived else None,
            "token_goodput": per_second(self.good_tokens) if slo else None,
            "output_throughput": per_second(self.output_tokens),
            "total_token_throughput": per_second(self.prompt_tokens + self.output_tokens),
        }


def _within(seconds: NDArray[np.float64], slo: Mapping[str, float], key: str) -> NDArray[np.bool_]:
    return seconds <= slo.get(key, inf) / MS_PER_S


def _peaks(directory: Path, columns: RequestColumns, totals: _Totals) -> Metrics:
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
    """Return the state over the window, all requests counted: those of the warm-up queue too."""
    arrivals = np.zeros(1 + PARTS, np.int64)
    starts = np.zeros(1 + PARTS, np.int64)
    present: tuple[State, ...] = ("finished", "cancelled", "unfinished")
    for state in present:
        for arrival, scheduled in columns.pieces("arrival_ps", "scheduled_ps", state=state):
            started = scheduled >= 0
            # When a cancelled request left the queue is not known: it counts only if it started.
            counted = started if state == "cancelled" else np.ones_like(started)
            arrivals += count_by_part([arrival[counted]], *window_ps)
            starts += count_by_part([scheduled[started]], *window_ps)
    return classify(arrivals, starts)
