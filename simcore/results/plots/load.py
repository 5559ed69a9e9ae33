"""Load charts: attainment, goodput and latency against the arrival rate, and where systems break."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.results.breaking import RATE
from simcore.results.plots.bars import draw_bars
from simcore.results.plots.labels import label_ends
from simcore.results.plots.panel import Panel
from simcore.results.plots.scales import log_ticks
from simcore.results.plots.style import GREY, colours, figure, point_words, save
from simcore.results.plots.words import slo_words
from simcore.results.stats import Interval, Run, over_seeds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curve = list[tuple[float, Interval]]


@dataclass(frozen=True, slots=True)
class _Measure:
    """A metric against load: `factor` brings it to the unit of the axis."""

    name: str
    metric: str
    title: str
    factor: float = 1.0


_ATTAINED = _Measure("attainment", "slo_attainment", "Share of requests within the SLO, %", 100.0)
_GOODPUT = _Measure("goodput", "request_goodput", "Goodput: requests within the SLO per second")
_LATENCIES = (
    _Measure("load-ttft", "p99_ttft_ms", "TTFT, 99th percentile, ms"),
    _Measure("load-tpot", "p99_tpot_ms", "TPOT, 99th percentile, ms"),
)


def draw_load(summary: Mapping[str, Any], path: Path) -> Path | None:
    """Draw attainment and goodput over the swept rates, or as bars; None without an SLO."""
    if not summary["slo"] or not summary["runs"]:
        return None
    if not sweeps_rate(summary):
        return draw_bars(summary, path)
    panels = list(_service(summary))
    with figure(f"Requests within the SLO as load grows ({slo_words(summary['slo'])})", 1, 2, 5.6) as (drawn, grid):
        for axes, panel in zip(grid[0], panels, strict=True):
            axes.set_title(panel.title)
            panel.draw(axes)
        return save(drawn, path)


def load_panels(summary: Mapping[str, Any]) -> list[Panel]:
    """Return the charts against the arrival rate; none if the study does not sweep it."""
    if not sweeps_rate(summary):
        return []
    return [*_service(summary), *_latencies(summary)]


def sweeps_rate(summary: Mapping[str, Any]) -> bool:
    """Return whether there is a run at each of two arrival rates or more, and none without one."""
    rates = {run["point"].get(RATE) for run in summary["runs"]}
    return len(rates) > 1 and None not in rates


def _service(summary: Mapping[str, Any]) -> Iterator[Panel]:
    if not summary["slo"]:
        return
    series = _series(summary["runs"])
    attained, goodput = (
        {name: _curve(ours, measure) for name, ours in series.items()} for measure in (_ATTAINED, _GOODPUT)
    )
    draw = partial(_draw_attained, curves=attained, breaking=summary["breaking"])
    yield Panel(_ATTAINED.name, _ATTAINED.title, _says(_ATTAINED, attained), draw)
    yield Panel(_GOODPUT.name, _GOODPUT.title, _says(_GOODPUT, goodput), partial(_draw_goodput, curves=goodput))


def _latencies(summary: Mapping[str, Any]) -> Iterator[Panel]:
    for measure in _LATENCIES:
        curves = {name: _curve(ours, measure) for name, ours in _series(summary["runs"]).items()}
        if any(found.mean > 0 for curve in curves.values() for _, found in curve):
            bound = summary["slo"].get(measure.metric.removeprefix("p99_"))
            draw = partial(_draw_latency, curves=curves, bound_ms=bound)
            yield Panel(measure.name, measure.title, _says(measure, curves), draw)


def _says(measure: _Measure, curves: Mapping[str, Curve]) -> str:
    ends = [
        f"{name} goes from {curve[0][1].mean:.3g} at {curve[0][0]:g} to {curve[-1][1].mean:.3g} at {curve[-1][0]:g}"
        for name, curve in curves.items()
        if curve
    ]
    return f"{measure.title}, against the arrival rate in requests per second: {'; '.join(ends)}."


def _series(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Return runs by name of their line: the system, and what else is swept."""
    series: dict[str, list[Run]] = {}
    for run in runs:
        others = point_words({key: value for key, value in run["point"].items() if key != RATE})
        series.setdefault(", ".join(filter(None, [run["system"], others])), []).append(run)
    return series


def _curve(runs: Sequence[Run], measure: _Measure) -> Curve:
    curve: Curve = []
    for rate in sorted({run["point"][RATE] for run in runs}):
        found = over_seeds([run for run in runs if run["point"][RATE] == rate], measure.metric)
        if found is not None:
            low, high = (None if bound is None else bound * measure.factor for bound in (found.low, found.high))
            curve.append((rate, Interval(found.n, found.mean * measure.factor, low, high)))
    return curve


def _draw_attained(axes: "Axes", curves: Mapping[str, Curve], breaking: Sequence[Mapping[str, Any]]) -> None:
    axes.set_ylim(0, 103)
    _draw_curves(axes, curves)
    _mark_breaks(axes, breaking, list(curves))


def _draw_goodput(axes: "Axes", curves: Mapping[str, Curve]) -> None:
    top = max((found.mean for curve in curves.values() for _, found in curve), default=0.0)
    axes.set_ylim(0, top * 1.15 or 1.0)
    _draw_curves(axes, curves)
    _draw_diagonal(axes)


def _draw_latency(axes: "Axes", curves: Mapping[str, Curve], bound_ms: float | None) -> None:
    known = [found.mean for curve in curves.values() for _, found in curve if found.mean > 0]
    low, high = min(known), max(known)
    if bound_ms is not None:
        low, high = min(low, bound_ms), max(high, bound_ms)
        axes.axhline(bound_ms, color=GREY, linewidth=1.0, linestyle=":")
        at = {
            "xycoords": ("axes fraction", "data"),
            "textcoords": "offset points",
            "va": "top",
            "ha": "right",
            "color": GREY,
        }
        axes.annotate(f"SLO {bound_ms:g} ms", xy=(0.98, bound_ms), xytext=(0, -3), **at)  # type: ignore[arg-type]
    # Less than a factor of ten reads better from zero on.
    if high > 10 * low:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.5, high * 1.5)
        log_ticks(axes.yaxis, low, high)
    else:
        axes.set_ylim(0, high * 1.15)
    _draw_curves(axes, curves)


def _draw_curves(axes: "Axes", curves: Mapping[str, Curve]) -> None:
    """Draw a line with its 95% band per system, labelled at its end; limits of y are final."""
    looks = colours(list(curves))
    low_end, high_end = axes.get_ylim()
    ends = []
    for name, curve in curves.items():
        if not curve:
            continue
        colour, style = looks[name]
        rates = [rate for rate, _ in curve]
        means = [found.mean for _, found in curve]
        axes.plot(rates, means, style, color=colour, marker="o", markersize=5, clip_on=False)
        banded = [(rate, found.low, found.high) for rate, found in curve if found.low is not None]
        if banded:
            at, low, high = zip(*banded, strict=True)
            axes.fill_between(at, [max(value, low_end) for value in low], high, color=colour, alpha=0.15, linewidth=0)
        ends.append((means[-1], name, colour))
    axes.set_ylim(low_end, high_end)
    axes.set_xlabel("arrival rate, requests per second")
    swept = [rate for curve in curves.values() for rate, _ in curve]
    axes.set_xlim(min(swept) - 0.04 * (max(swept) - min(swept)), max(swept))
    label_ends(axes, ends)


def _mark_breaks(axes: "Axes", breaking: Sequence[Mapping[str, Any]], names: list[str]) -> None:
    """Draw the target and, on it, each breaking point; the rates stand below, side by side."""
    if not breaking:
        return
    target = 100 * breaking[0]["target"]
    axes.axhline(target, color=GREY, linewidth=1.0, linestyle=":")
    looks = colours(names)
    crossed = []
    for entry in breaking:
        name = ", ".join(filter(None, [entry["system"], point_words(entry["point"])]))
        if entry["rate"] is not None:
            crossed.append((entry["rate"], looks[name][0]))
    for rate, colour in crossed:
        axes.plot([rate, rate], [0, target], color=colour, linewidth=1.0, linestyle=(0, (2, 2)))
        axes.plot([rate], [target], marker="D", markersize=8, color=colour, markeredgecolor="white", zorder=5)
    lines = [(f"{rate:.1f}", colour) for rate, colour in sorted(crossed)]
    if not lines:
        return
    behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
    at: Any = {"transform": axes.transAxes, "bbox": behind}
    axes.text(0.03, 0.05 + 0.055 * len(lines), f"keeps {target:g}% up to", color=GREY, **at)
    for index, (text, colour) in enumerate(reversed(lines)):
        axes.text(0.03, 0.05 + 0.055 * index, f"{text} req/s", color=colour, fontweight="bold", **at)


def _draw_diagonal(axes: "Axes") -> None:
    """Draw goodput as it were if every request met the SLO."""
    low, high = axes.get_xlim()
    axes.plot([low, high], [low, high], ":", color=GREY, linewidth=1.2, zorder=1)
    top = min(high, axes.get_ylim()[1]) * 0.97
    if top > low:
        at = {"textcoords": "offset points", "color": GREY, "ha": "right", "va": "center"}
        axes.annotate("all that arrives", xy=(top, top), xytext=(-10, 0), **at)  # type: ignore[arg-type]
