"""Latency charts: the distributions of TTFT, TPOT and E2EL at one load, per system, with the SLO."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simcore.contract import to_ps
from simcore.results.columns import WarmUp
from simcore.results.frames import requests_frame
from simcore.results.plots.panel import Panel
from simcore.results.plots.scales import log_ticks
from simcore.results.plots.style import GREY, INK, figure, save, system_looks
from simcore.results.plots.words import where_words
from simcore.results.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Sample = NDArray[np.float64]

# Even steps in the middle, fine ones towards the tail, so that the 99.9th percentile is drawn where it is.
_SHARES = np.unique(np.concatenate([np.linspace(0, 1, 201), 1 - np.logspace(-4, -2, 30)]))
NO_WARM_UP = WarmUp()
_LATENCIES = (
    ("ttft", "Time to first token (TTFT)"),
    ("tpot", "Time per output token after the first (TPOT)"),
    ("e2el", "End-to-end latency (E2EL)"),
)


def draw_distributions(
    out: Path, summary: Mapping[str, Any], point: Mapping[str, Any], path: Path, warm_up: WarmUp = NO_WARM_UP
) -> Path | None:
    """Draw the distributions of TTFT and TPOT, as `distribution_panels`; None without requests."""
    samples = _samples(out, summary, point, warm_up)
    panels = [panel for panel in _panels(summary, point, samples) if panel.name != "e2el"]
    if not panels:
        return None
    looks = system_looks(summary)
    title = f"Latency of finished requests{where_words(point)}"
    with figure(title, 1, len(panels), 5.6 + 0.25 * len(looks), sharey=True) as (drawn, (grid,)):
        for axes, panel in zip(grid, panels, strict=True):
            axes.set_title(panel.title, pad=26)
            panel.draw(axes)
            _note_below(axes, samples[panel.name], looks)
        for axes in grid[1:]:
            axes.set_ylabel("")
        return save(drawn, path)


def distribution_panels(
    out: Path, summary: Mapping[str, Any], point: Mapping[str, Any], warm_up: WarmUp = NO_WARM_UP
) -> list[Panel]:
    """Return the charts of the share of finished requests (all seeds) with at most so much TTFT, TPOT, E2EL.

    Requests of the warm-up are left out, as they are of every metric.
    """
    return _panels(summary, point, _samples(out, summary, point, warm_up))


def _samples(
    out: Path, summary: Mapping[str, Any], point: Mapping[str, Any], warm_up: WarmUp
) -> dict[str, dict[str, Sample]]:
    """Return milliseconds by latency and system; systems and latencies without any are left out."""
    columns = ["system", "state", "request", "arrival_ps", *(f"{name}_s" for name, _ in _LATENCIES)]
    frame = requests_frame(out, columns=columns, **point)
    counted = (frame["arrival_ps"] >= to_ps(warm_up.seconds)) & (frame["request"] >= warm_up.requests)
    frame = frame[counted & (frame["state"] == "finished")]
    found: dict[str, dict[str, Sample]] = {}
    for name, _ in _LATENCIES:
        for system in system_looks(summary):
            values = frame.loc[frame["system"] == system, f"{name}_s"].dropna().to_numpy() * 1000
            if len(values):
                found.setdefault(name, {})[system] = values
    return found


def _panels(
    summary: Mapping[str, Any], point: Mapping[str, Any], samples: Mapping[str, Mapping[str, Sample]]
) -> list[Panel]:
    looks = system_looks(summary)
    panels = []
    for name, title in _LATENCIES:
        if name in samples:
            bound = summary["slo"].get(f"{name}_ms")
            draw = partial(_draw, samples=samples[name], looks=looks, bound_ms=bound)
            panels.append(Panel(name, title, _says(title, point, samples[name]), draw))
    return panels


def _says(title: str, point: Mapping[str, Any], samples: Mapping[str, Sample]) -> str:
    said = [f"{system}: {', '.join(_percentiles(values))}" for system, values in samples.items()]
    return f"{title}{where_words(point)}, share of finished requests with at most so much. {'; '.join(said)}."


def _percentiles(values: Sample) -> tuple[str, str]:
    median, p99 = (number(float(value)) for value in np.percentile(values, (50, 99)))
    return f"p50 {median} ms", f"p99 {p99} ms"


def _draw(
    axes: "Axes", samples: Mapping[str, Sample], looks: Mapping[str, tuple[str, str]], bound_ms: float | None
) -> None:
    for system, values in samples.items():
        colour, style = looks[system]
        # A logarithm has no place for 0: a token that came at once is drawn at the left edge.
        axes.plot(np.maximum(np.quantile(values, _SHARES), 1e-3), 100 * _SHARES, style, color=colour)
    axes.set_xscale("log")
    axes.set_ylim(0, 101)
    low, high = axes.get_xlim()
    if bound_ms is not None:
        low, high = min(low, bound_ms / 1.5), max(high, bound_ms * 1.5)
        axes.axvline(bound_ms, color=INK, linewidth=1.4, linestyle=(0, (4, 2)))
        at = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "ha": "center"}
        axes.annotate(f"SLO {bound_ms:g} ms", xy=(bound_ms, 1.0), xytext=(0, 4), **at)  # type: ignore[arg-type]
    axes.set_xlim(low, high)
    log_ticks(axes.xaxis, low, high)
    axes.set_xlabel("milliseconds, log scale")
    axes.set_ylabel("requests with at most this, %")
    axes.tick_params(colors=GREY)


def _note_below(axes: "Axes", samples: Mapping[str, Sample], looks: Mapping[str, tuple[str, str]]) -> None:
    """Write median and 99th percentile below the axes, where no curve can run through them."""
    for index, (system, values) in enumerate(samples.items()):
        for place, text in zip((0.0, 0.5, 0.75), (system, *_percentiles(values)), strict=True):
            at = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "top", "color": looks[system][0]}
            axes.annotate(text, xy=(place, 0), xytext=(0, -46 - 19 * index), **at)  # type: ignore[arg-type]
