"""Time charts: waiting and running requests and KV use over time at one load, per system, of the first seed."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simcore.results.frames import instances_frame
from simcore.results.plots.labels import label_ends
from simcore.results.plots.panel import Panel
from simcore.results.plots.style import figure, save, system_looks
from simcore.results.plots.words import where_words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

BINS = 200
_SERIES = (
    ("waiting", "Requests waiting, all instances"),
    ("running", "Requests running, all instances"),
    ("kv", "KV blocks in use, % of all instances' pools"),
)


def draw_timeline(out: Path, summary: Mapping[str, Any], point: Mapping[str, Any], path: Path) -> Path | None:
    """Draw the time series below each other; None without any."""
    seed, panels = timeline_panels(out, summary, point)
    if not panels:
        return None
    title = f"Queue, batches and KV cache over time{where_words(point)} (seed {seed})"
    with figure(title, len(panels), 1, 9.6, sharex=True) as (drawn, rows):
        for (axes,), panel in zip(rows, panels, strict=True):
            axes.set_title(panel.title)
            panel.draw(axes)
            label_ends(
                axes, [(_last(line), str(line.get_label()), str(line.get_color())) for line in axes.lines], gap=0.1
            )
        for (axes,) in rows[:-1]:
            axes.set_xlabel("")
        return save(drawn, path)


def timeline_panels(out: Path, summary: Mapping[str, Any], point: Mapping[str, Any]) -> tuple[int, list[Panel]]:
    """Return the first seed and the charts of its time series, summed over instances; no charts without samples."""
    frame = instances_frame(out, **point)
    if frame.empty:
        return 0, []
    seed = int(frame["seed"].iloc[0])
    frame = frame[frame["seed"] == seed]
    looks = system_looks(summary)
    found = {system: _cluster(frame[frame["system"] == system]) for system in looks}
    series = {system: rows for system, rows in found.items() if not rows.empty}
    until_s = float(frame["at_s"].max()) or 1.0
    panels = []
    for name, title in _SERIES:
        peaks = [f"{system} at most {rows[name].max():.3g}" for system, rows in series.items()]
        says = f"{title}, over {until_s:.3g} seconds{where_words(point)}: {'; '.join(peaks)}."
        panels.append(Panel(name, title, says, partial(_draw, name=name, series=series, looks=looks, until_s=until_s)))
    return seed, panels


def _draw(
    axes: "Axes",
    name: str,
    series: Mapping[str, "pd.DataFrame"],
    looks: Mapping[str, tuple[str, str]],
    until_s: float,
) -> None:
    for system, rows in series.items():
        colour, style = looks[system]
        axes.plot(rows["at_s"], rows[name], style, color=colour, linewidth=1.5, label=system)
    axes.set_xlim(0, until_s)
    axes.set_ylim(0, max(100.0, axes.get_ylim()[1]) if name == "kv" else max(1.0, axes.get_ylim()[1]))
    axes.set_xlabel("seconds since the first arrival")


def _last(line: Any) -> float:
    return float(line.get_ydata()[-1])


def _cluster(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Return the cluster's time series, averaged over at most `BINS` equal spans of time."""
    sums = frame.groupby("at_s")[["waiting", "running", "used_blocks", "kv_blocks"]].sum().reset_index()
    if sums.empty:
        return sums
    sums["kv"] = 100 * sums["used_blocks"] / sums["kv_blocks"].clip(lower=1)
    if len(sums) <= BINS:
        return sums
    span = float(sums["at_s"].max()) / BINS
    part = np.minimum((sums["at_s"] / span).astype(int), BINS - 1)
    return sums.groupby(part)[["at_s", "waiting", "running", "kv"]].mean()
