"""Plot: what each run showed against the value it ran with, and where the systems cross the bound."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.capacity.report import REPORT
from simcore.capacity.wording import exactly, label, title
from simcore.results.plots.scales import log_ticks
from simcore.results.plots.style import GREY, colours, figure, save
from simcore.results.wording import SHARES, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURE = "capacity.png"


def draw(folder: Path) -> Path:
    """Draw `plots/capacity.png` of a result folder, one chart for each criterion, and return its path."""
    data = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    criteria = data["criteria"]
    with figure(title(data), 1, len(criteria), 5.6) as (drawn, grid):
        for axes, criterion in zip(grid[0], criteria, strict=True):
            _draw(axes, data, criterion)
        return save(drawn, folder / "plots" / FIGURE)


def _draw(axes: "Axes", data: Mapping[str, Any], criterion: Mapping[str, Any]) -> None:
    """Draw runs as dots (hollow: the other seeds), the bound, and each answer, below with its interval."""
    metric, factor = criterion["metric"], 100.0 if criterion["metric"] in SHARES else 1.0
    looks = colours([label(entry) for entry in data["results"]])
    bound = criterion["bound"] * factor
    dots: dict[str, list[tuple[float, float]]] = {"search": [], "around": [], "check": []}
    for entry in data["results"]:
        colour = looks[label(entry)][0]
        for purpose, drawn in dots.items():
            points = [(value, factor * found) for value, found in _points(data, entry, purpose, metric)]
            face = "white" if purpose == "check" else colour
            at, found = [value for value, _ in points], [seen for _, seen in points]
            axes.scatter(at, found, s=26, edgecolor=colour, facecolor=face, linewidth=1.2, alpha=0.8, zorder=3)
            drawn += points
    axes.set_title(f"{metric}{', %' if factor > 1 else ''}")
    axes.set_xlabel(data["vary"])
    axes.axhline(bound, color=GREY, linewidth=1.0, linestyle=":")
    # What lies well to both sides is only to see that nothing odd is there.
    _scale_x(axes, [value for value, _ in dots["search"] + dots["check"]])
    _scale_y(axes, [found for points in dots.values() for _, found in points] + [bound], share=factor > 1)
    for row, entry in enumerate(reversed(data["results"])):
        colour = looks[label(entry)][0]
        if len(data["criteria"]) == 1 and entry["value"] is not None:
            axes.plot([entry["value"]], [bound], "D", markersize=8, color=colour, markeredgecolor="white", zorder=5)
        _name(axes, entry, colour, 0.05 + 0.055 * row)


def _points(data: Mapping[str, Any], entry: Mapping[str, Any], purpose: str, metric: str) -> list[tuple[float, float]]:
    """Return (value, metric) of the runs of a system that were done for one purpose."""
    return [
        (run["point"][data["vary"]], run["metrics"][metric])
        for run in data["runs"]
        if run["system"] == entry["system"]
        and entry["point"].items() <= run["point"].items()
        and run["purpose"] == purpose
        and run["metrics"].get(metric) is not None
    ]


def _scale_x(axes: "Axes", tried: Sequence[float]) -> None:
    if not tried:
        return
    low, high = min(tried), max(tried)
    room = (high / low) ** 0.05 * 1.01
    axes.set_xlim(low / room, high * room)
    if high > 4 * low:
        axes.set_xscale("log")
        log_ticks(axes.xaxis, low, high)


def _scale_y(axes: "Axes", seen: Sequence[float], *, share: bool) -> None:
    low, high = min(seen), max(seen)
    if share:
        axes.set_ylim(0, 103)
    elif low > 0 and high > 10 * low:
        axes.set_yscale("log")
        log_ticks(axes.yaxis, low, high)
    else:
        axes.set_ylim(0, high * 1.1 or 1.0)


def _name(axes: "Axes", entry: Mapping[str, Any], colour: str, height: float) -> None:
    """Write an answer at a height of the axes, with its interval beside it."""
    text = f"{label(entry)}: {entry['outcome']}"
    if entry["value"] is not None:
        row = axes.get_xaxis_transform()
        axes.plot([entry["value"]], [height], "D", markersize=6, color=colour, transform=row, zorder=5)
        text = f"{label(entry)}: {exactly(entry['value'])}"
        if entry["ci_low"] is not None:
            axes.plot([entry["ci_low"], entry["ci_high"]], [height] * 2, color=colour, linewidth=2.5, transform=row)
            text += f" ± {number(entry['ci_high'] - entry['mean'])}"
    behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
    at: Any = {"transform": axes.transAxes, "color": colour, "fontweight": "bold", "va": "center", "bbox": behind}
    axes.text(0.02, height, text, **at, zorder=6)
