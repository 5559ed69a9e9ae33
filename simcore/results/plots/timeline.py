"""Queue plot: waiting requests and KV use over time at one load, per system, of the first seed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from simcore.results.breaking import RATE
from simcore.results.frames import instances_frame
from simcore.results.plots.style import colours, figure, label_ends, point_words, save

BINS = 300


def draw_timeline(out: Path, summary: Mapping[str, Any], point: Mapping[str, Any], path: Path) -> Path | None:
    """Draw the cluster's waiting requests and the share of its KV blocks in use; None without a time series."""
    frame = instances_frame(out, **point)
    if frame.empty:
        return None
    seed = frame["seed"].iloc[0]
    frame = frame[frame["seed"] == seed]
    systems = list(dict.fromkeys(run["system"] for run in summary["runs"]))
    looks = colours(systems)
    where = point_words(point, {RATE: "req/s"})
    title = f"Queue and KV cache over time{f' at {where}' if where else ''} (seed {seed})"
    with figure(title, 2, 1, 7.0, sharex=True) as (drawn, ((top,), (bottom,))):
        ends: tuple[list[tuple[float, str, str]], ...] = ([], [])
        for system in systems:
            series = _cluster(frame[frame["system"] == system])
            if series.empty:
                continue
            colour, style = looks[system]
            for axes, column, labels in zip((top, bottom), ("waiting", "kv_pct"), ends, strict=True):
                axes.plot(series["at_s"], series[column], style, color=colour, linewidth=1.5)
                labels.append((float(series[column].iloc[-1]), system, colour))
        top.set_title("Requests waiting for a place in a batch, all instances")
        bottom.set_title("KV blocks in use, % of all instances' pools")
        bottom.set_xlabel("seconds since the first arrival")
        bottom.set_xlim(0, float(frame["at_s"].max()) or 1.0)
        top.set_ylim(bottom=0)
        bottom.set_ylim(0, max(100.0, bottom.get_ylim()[1]))
        for axes, labels in zip((top, bottom), ends, strict=True):
            label_ends(axes, labels, gap=0.09)
        return save(drawn, path)


def _cluster(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the cluster's time series, averaged over at most `BINS` equal spans of time."""
    sums = frame.groupby("at_s")[["waiting", "used_blocks", "kv_blocks"]].sum().reset_index()
    if sums.empty:
        return sums
    sums["kv_pct"] = 100 * sums["used_blocks"] / sums["kv_blocks"]
    if len(sums) <= BINS:
        return sums
    span = float(sums["at_s"].max()) / BINS
    part = np.minimum((sums["at_s"] / span).astype(int), BINS - 1)
    return sums.groupby(part)[["at_s", "waiting", "kv_pct"]].mean()
