"""Rollouts in pictures: where the time of a step goes, how stale samples are, how long those are that came first."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simcore.results.plots.panel import Panel
from simcore.results.plots.style import figure, save, system_looks
from simcore.results.plots.words import where_words
from simcore.results.stats import point_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_PARTS = (
    ("generating", "opened_ps", "stopped_ps", 1.0),
    ("stopping samples", "stopped_ps", "train_ps", 0.8),
    ("training", "train_ps", "trained_ps", 0.5),
    ("new weights", "trained_ps", "closed_ps", 0.25),
)
"""Part of a step, where it begins and ends, and how strong its colour is."""
_VERSIONS = tuple(f"versions_{n}" for n in range(1, 7))


def draw_rollouts(out: Path, summary: Mapping[str, Any], point: Mapping[str, Any], path: Path) -> Path | None:
    """Draw the training steps of each system at a point, all seeds together; None where a study has none."""
    panels = rollout_panels(out, summary, point)
    if not panels:
        return None
    with figure(f"Training steps{where_words(point)}", 1, len(panels), 4.2) as (drawn, (grid,)):
        for axes, panel in zip(grid, panels, strict=True):
            axes.set_title(panel.title)
            panel.draw(axes)
        return save(drawn, path)


def rollout_panels(out: Path, summary: Mapping[str, Any], point: Mapping[str, Any]) -> list[Panel]:
    """Return the charts of the training steps at a point; none without `rollouts.parquet`."""
    import pandas as pd

    file = out / "rollouts.parquet"
    if not file.exists():
        return []
    rows = pd.read_parquet(file)
    rows = rows[rows["point"] == point_text(point)]
    looks = {name: look for name, look in system_looks(summary).items() if (rows["system"] == name).any()}
    by_system = {name: rows[rows["system"] == name] for name in looks}
    if rows.empty:
        return []
    draw: dict[str, Any] = {"rows": by_system, "looks": looks}
    times = [
        f"{name} {((each['closed_ps'] - each['opened_ps']) / 1e12).mean():.3g} s" for name, each in by_system.items()
    ]
    stale = [
        f"{name} {100 * each['off_policy_tokens'].sum() / each['response_tokens'].sum():.0f}%"
        for name, each in by_system.items()
    ]
    long = "Mean response of each step, beside that of all prompts drawn."
    return [
        Panel("step_time", "Mean seconds of a step", f"Mean step: {'; '.join(times)}.", partial(_times, **draw)),
        Panel(
            "versions", "Weight versions, % of samples", f"Off-policy: {'; '.join(stale)}.", partial(_versions, **draw)
        ),
        Panel("first_finish", "Mean tokens of a response, by step", long, partial(_lengths, **draw)),
    ]


def _times(axes: "Axes", rows: "Mapping[str, pd.DataFrame]", looks: Mapping[str, tuple[str, str]]) -> None:
    axes.grid(axis="y", visible=False)
    for place, (name, found) in enumerate(rows.items()):
        left = 0.0
        for part, begin, end, strength in _PARTS:
            seconds = float(((found[end] - found[begin]) / 1e12).mean())
            axes.barh(place, seconds, left=left, color=looks[name][0], alpha=strength, height=0.62)
            if place == 0 and seconds > 0.08 * float(((found["closed_ps"] - found["opened_ps"]) / 1e12).mean()):
                axes.annotate(part, (left + seconds / 2, place - 0.36), ha="center", va="bottom", fontsize=8)
            left += seconds
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.75)
    axes.set_xlim(left=0)


def _versions(axes: "Axes", rows: "Mapping[str, pd.DataFrame]", looks: Mapping[str, tuple[str, str]]) -> None:
    width = 0.8 / max(1, len(rows))
    for place, (name, found) in enumerate(rows.items()):
        counts = np.array([found[column].sum() for column in _VERSIONS], float)
        at = np.arange(len(_VERSIONS)) + (place + 0.5) * width - 0.4
        axes.bar(at, 100 * counts / max(1.0, counts.sum()), width, color=looks[name][0], label=name)
    axes.set_xticks(range(len(_VERSIONS)), ["1", "2", "3", "4", "5", "6+"])
    axes.set_ylim(0, 100)
    axes.legend(frameon=False, fontsize=8)


def _lengths(axes: "Axes", rows: "Mapping[str, pd.DataFrame]", looks: Mapping[str, tuple[str, str]]) -> None:
    from matplotlib.ticker import MaxNLocator

    for name, found in rows.items():
        sums = found.groupby("step")[["response_tokens", "samples"]].sum()
        colour, style = looks[name]
        axes.plot(sums.index, sums["response_tokens"] / sums["samples"], style, color=colour, linewidth=1.5, label=name)
    first = next(iter(rows.values()))
    drawn = first["drawn_tokens"].sum() / max(1, first["drawn_samples"].sum())
    axes.axhline(drawn, color="0.6", linewidth=1, linestyle=":")
    axes.annotate("all drawn", (0, drawn), xycoords=("axes fraction", "data"), va="bottom", fontsize=8)
    axes.set_xlabel("training step")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
