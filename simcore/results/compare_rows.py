"""Rows of a comparison: the requests of one run, one by one, and what may be said from them.

Requests of a run wait for each other, so they are no independent sample: an interval comes from the means of batches
of neighbours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.results.stats import CONFIDENCE, Interval, interval, point_text

BATCHES = 20
BATCH_REQUESTS = 10
"""Requests that a batch should have at least."""
PERCENTILES = (90, 95, 99)

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Completed requests in the order they arrived; all arrays are [n], times in seconds.

    Args:
        seconds: `ttft`, `tpot` and `e2el`; NaN where a request has none.
        itl_s: all gaps between tokens, of all requests; empty where they are not known.
    """

    prompt_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    seconds: Mapping[str, Values]
    itl_s: Values = field(default_factory=lambda: np.empty(0))

    def statistics(self) -> dict[str, float]:
        """Return mean, median, std (population) and percentiles in milliseconds, by vLLM's keys."""
        found: dict[str, float] = {}
        for name, values in (*self.seconds.items(), ("itl", self.itl_s)):
            known = values[~np.isnan(values)] * 1000
            if len(known):
                found |= {f"mean_{name}_ms": float(known.mean()), f"std_{name}_ms": float(known.std())}
                median, *tail = np.percentile(known, (50, *PERCENTILES)).tolist()
                found[f"median_{name}_ms"] = median
                found |= {f"p{rank}_{name}_ms": value for rank, value in zip(PERCENTILES, tail, strict=True)}
        return found

    def same_requests(self, other: "Rows") -> bool:
        """Return whether both runs served the same requests, as far as their lengths tell."""
        ours, theirs = (np.stack((rows.prompt_tokens, rows.output_tokens)) for rows in (self, other))
        return ours.shape == theirs.shape and bool((ours == theirs).all())


def rows_of_vllm(result: Mapping[str, Any]) -> Rows | None:
    """Return the requests of a result saved with `--save-detailed`; None where it has none."""
    if not all(result.get(key) for key in ("ttfts", "itls", "input_lens", "output_lens")):
        return None
    count = len(result["ttfts"])
    errors = result.get("errors") or [""] * count
    output = np.array(result["output_lens"], np.int64)
    ttft = np.array(result["ttfts"], np.float64)
    gaps = [np.array(each, np.float64) for each in result["itls"]]
    # Without `latencies`, as older versions write it, a response ends with its last gap.
    latencies = result.get("latencies") or [first + each.sum() for first, each in zip(ttft, gaps, strict=True)]
    e2el = np.array(latencies, np.float64)
    starts = np.array(result.get("start_times") or range(count), np.float64)
    completed = np.array([not error for error in errors]) & (output > 0)
    order = np.argsort(starts, kind="stable")
    order = order[completed[order]]
    tpot = np.where(output > 1, (e2el - ttft) / np.maximum(output - 1, 1), np.nan)
    seconds = {"ttft": ttft[order], "tpot": tpot[order], "e2el": e2el[order]}
    pooled = np.concatenate([gaps[index] for index in order]) if len(order) else np.empty(0)
    return Rows(np.array(result["input_lens"], np.int64)[order], output[order], seconds, pooled)


def rows_of_folder(folder: Path, run: Mapping[str, Any]) -> Rows:
    """Return the requests of one run of a result folder, without those of its warm-up."""
    import pyarrow.parquet as pq

    keys = ("request", "arrival_ps", "prompt_tokens", "output_tokens", "ttft_s", "tpot_s", "e2el_s")
    filters = [
        ("system", "=", run["system"]),
        ("seed", "=", run["seed"]),
        ("point", "=", point_text(run["point"])),
        ("state", "=", "finished"),
    ]
    table = pq.read_table(folder / "requests.parquet", columns=list(keys), filters=filters)
    columns = {key: table.column(key).to_numpy() for key in keys}
    warm_up = _warm_up(folder)
    counted = columns["arrival_ps"] >= warm_up.get("seconds", 0.0) * 1e12
    counted &= columns["request"] >= warm_up.get("requests", 0)
    order = np.lexsort((columns["request"], columns["arrival_ps"]))
    order = order[counted[order]]
    seconds = {name: columns[f"{name}_s"][order].astype(np.float64) for name in ("ttft", "tpot", "e2el")}
    return Rows(columns["prompt_tokens"][order], columns["output_tokens"][order], seconds)


def batch_difference(ours: Rows, theirs: Rows, name: str) -> Interval | None:
    """Return the difference of the means of `ttft`, `tpot` or `e2el`, milliseconds, with an interval from batches.

    Request by request where both runs served the same ones. None where there are too few for batches.
    """
    if ours.same_requests(theirs):
        means = _batch_means(ours.seconds[name] - theirs.seconds[name])
        return None if means is None else interval(means)
    first, second = _batch_means(ours.seconds[name]), _batch_means(theirs.seconds[name])
    return None if first is None or second is None else welch(first, second)


def welch(ours: list[float], theirs: list[float]) -> Interval:
    """Return the difference of two means and its interval, for samples that have nothing in common (Welch's t).

    >>> welch([2.0, 2.0], [1.0, 1.0])
    Interval(n=4, mean=1.0, low=1.0, high=1.0)
    """
    from scipy.special import stdtrit

    parts = [(np.mean(values), np.var(values, ddof=1) / len(values), len(values)) for values in (ours, theirs)]
    (mean, spread, n), (base, base_spread, base_n) = parts
    difference, whole = float(mean - base), float(spread + base_spread)
    if not whole:
        return Interval(n + base_n, difference, difference, difference)
    freedom = whole**2 / (spread**2 / (n - 1) + base_spread**2 / (base_n - 1))
    half = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * sqrt(whole)
    return Interval(n + base_n, difference, difference - half, difference + half)


def _batch_means(seconds: Values) -> list[float] | None:
    known = seconds[~np.isnan(seconds)] * 1000
    if len(known) < BATCHES * BATCH_REQUESTS:
        return None
    return [float(batch.mean()) for batch in np.array_split(known, BATCHES)]


def _warm_up(folder: Path) -> dict[str, float]:
    from ruamel.yaml import YAML

    file = folder / "study.resolved.yaml"
    study = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8")) if file.is_file() else None
    return dict((study or {}).get("warm_up") or {})
