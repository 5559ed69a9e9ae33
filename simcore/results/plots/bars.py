"""Bars: attainment and goodput of a study without a sweep of the rate."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.results.plots.labels import shortened
from simcore.results.plots.panel import Panel
from simcore.results.plots.style import INK, figure, point_words, save, system_looks
from simcore.results.plots.words import slo_words
from simcore.results.stats import Interval, grouped, over_seeds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Bar = tuple[str, Interval | None, str]
"""What it stands for, its length with its interval, its colour."""

_MEASURES = (
    ("attainment", "slo_attainment", 100.0, "Share of requests within the SLO, %"),
    ("goodput", "request_goodput", 1.0, "Goodput: requests within the SLO per second"),
)


def draw_bars(summary: Mapping[str, Any], path: Path) -> Path:
    """Draw attainment and goodput per system (and sweep point) as bars with intervals."""
    panels = bar_panels(summary)
    height = 1.9 + 0.55 * bar_count(summary)
    title = f"Requests within the SLO ({slo_words(summary['slo'])})"
    with figure(title, 1, 2, height, sharey=True) as (drawn, (grid,)):
        for axes, panel in zip(grid, panels, strict=True):
            axes.set_title(panel.title)
            panel.draw(axes)
        return save(drawn, path)


def bar_panels(summary: Mapping[str, Any]) -> list[Panel]:
    """Return the charts of attainment and goodput; none without an SLO."""
    return list(_panels(summary)) if summary["slo"] and summary["runs"] else []


def bar_count(summary: Mapping[str, Any]) -> int:
    """Return how many bars a chart has: one per system and sweep point."""
    return len(grouped(summary["runs"]))


def _panels(summary: Mapping[str, Any]) -> Iterator[Panel]:
    looks = system_looks(summary)
    for name, metric, factor, title in _MEASURES:
        bars = [
            (_words(system, runs[0]["point"]), _scaled(over_seeds(runs, metric), factor), looks[system][0])
            for (system, _), runs in grouped(summary["runs"]).items()
        ]
        said = "; ".join(f"{words} {found.mean:.3g}" for words, found, _ in bars if found)
        yield Panel(name, title, f"{title}: {said}.", partial(_draw, bars=bars))


def _words(system: str, point: Mapping[str, Any]) -> str:
    return ", ".join(filter(None, [shortened(system), point_words(point)]))


def _scaled(found: Interval | None, factor: float) -> Interval | None:
    if found is None:
        return None
    low, high = (None if bound is None else bound * factor for bound in (found.low, found.high))
    return Interval(found.n, found.mean * factor, low, high)


def _draw(axes: "Axes", bars: list[Bar]) -> None:
    axes.grid(axis="y", visible=False)
    for row, (_, found, colour) in enumerate(bars):
        if found is None:
            continue
        half = found.half_width
        axes.barh(row, found.mean, color=colour, height=0.62, xerr=half, ecolor=INK, capsize=4)
        at = {"xytext": (6, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(f"{found.mean:.1f}", xy=(found.mean + (half or 0.0), row), **at)  # type: ignore[arg-type]
    axes.set_yticks(range(len(bars)), [words for words, _, _ in bars])
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.margins(x=0.14)
    axes.set_xlim(left=0)
