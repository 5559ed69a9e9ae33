"""Charts: the panels of a study as SVG, in the groups a page shows them in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simcore.report.folder import ResultFolder
from simcore.results.plots.bars import bar_count, bar_panels
from simcore.results.plots.distributions import distribution_panels
from simcore.results.plots.load import load_panels, sweeps_rate
from simcore.results.plots.panel import Panel
from simcore.results.plots.resolved import warm_up_of
from simcore.results.plots.style import system_looks
from simcore.results.plots.svg import panel_svg
from simcore.results.plots.timeline import timeline_panels

WIDE = (560, 330)
"""Two side by side on a desk, one on a phone; pixels."""
NARROW = (400, 290)
"""Three side by side."""
MOST_BARS = 60


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    svg: str


@dataclass(frozen=True, slots=True)
class Look:
    """How a system looks in all charts: its colour, and how its line is dashed."""

    system: str
    colour: str
    dashes: str


def looks(summary: Mapping[str, Any]) -> list[Look]:
    """Return the legend of all charts."""
    dashes = {"-": "", "--": "6 3", "-.": "6 3 1.5 3"}
    return [Look(system, colour, dashes[style]) for system, (colour, style) in system_looks(summary).items()]


def load_charts(folder: ResultFolder) -> list[Chart]:
    """Return attainment, goodput and latencies against load; bars where the rate is not swept."""
    summary = folder.summary
    if sweeps_rate(summary):
        return _drawn(load_panels(summary), WIDE)
    count = bar_count(summary)
    compares = len(summary["runs"]) > 1 and 1 < count <= MOST_BARS
    return _drawn(bar_panels(summary), (WIDE[0], 90 + 26 * count)) if compares else []


def latency_charts(folder: ResultFolder, point: Mapping[str, Any]) -> list[Chart]:
    """Return the distributions of latencies at one point."""
    if not folder.has("requests"):
        return []
    warm_up = warm_up_of(folder.study, point)
    return _drawn(distribution_panels(folder.path, folder.summary, point, warm_up), NARROW)


def time_charts(folder: ResultFolder, point: Mapping[str, Any]) -> tuple[int, list[Chart]]:
    """Return the seed shown and the time series at one point."""
    if not folder.has("instances"):
        return 0, []
    seed, panels = timeline_panels(folder.path, folder.summary, point)
    return seed, _drawn(panels, NARROW)


def _drawn(panels: Sequence[Panel], size: tuple[int, int]) -> list[Chart]:
    width, height = size
    return [Chart(panel.title, panel_svg(panel, width=width, height=height)) for panel in panels]
