"""Latency plot: the distributions of TTFT and TPOT at one load, per system, with the SLO."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simcore.results.breaking import RATE
from simcore.results.frames import requests_frame
from simcore.results.plots.style import GREY, colours, figure, point_words, save
from simcore.results.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Even steps in the middle, fine ones towards the tail, so that the 99.9th percentile is drawn where it is.
_SHARES = np.unique(np.concatenate([np.linspace(0, 1, 401), 1 - np.logspace(-4, -2, 40)]))


def draw_distributions(out: Path, summary: Mapping[str, Any], point: Mapping[str, Any], path: Path) -> Path | None:
    """Draw the share of finished requests (all seeds) with at most so much TTFT and TPOT; None without requests."""
    frame = requests_frame(out, columns=["system", "state", "ttft_s", "tpot_s"], **point)
    frame = frame[frame["state"] == "finished"]
    if frame.empty:
        return None
    systems = list(dict.fromkeys(run["system"] for run in summary["runs"]))
    looks = colours(systems)
    where = point_words(point, {RATE: "req/s"})
    title = "Latency of finished requests" + (f" at {where}" if where else "")
    with figure(title, 1, 2, 5.6 + 0.25 * len(systems), sharey=True) as (drawn, (panels,)):
        for axes, name, words in (
            (panels[0], "ttft", "Time to first token (TTFT)"),
            (panels[1], "tpot", "Time per output token after the first (TPOT)"),
        ):
            axes.set_title(words, pad=26)
            notes = []
            for system in systems:
                values = frame.loc[frame["system"] == system, f"{name}_s"].dropna().to_numpy() * 1000
                if not len(values):
                    continue
                colour, style = looks[system]
                axes.plot(np.quantile(values, _SHARES), 100 * _SHARES, style, color=colour)
                median, p99 = (number(float(value)) for value in np.percentile(values, (50, 99)))
                notes.append(((system, f"p50 {median} ms", f"p99 {p99} ms"), colour))
            _finish(axes, summary["slo"].get(f"{name}_ms"), notes)
        panels[0].set_ylabel("share of requests with at most this, %")
        return save(drawn, path)


def _finish(axes: "Axes", bound_ms: float | None, notes: list[tuple[tuple[str, str, str], str]]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.set_ylim(0, 101)
    low, high = axes.get_xlim()
    if bound_ms is not None:
        low, high = min(low, bound_ms / 1.5), max(high, bound_ms * 1.5)
        axes.axvline(bound_ms, color="#222222", linewidth=1.4, linestyle=(0, (4, 2)))
        at = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "ha": "center"}
        axes.annotate(f"SLO {bound_ms:g} ms", xy=(bound_ms, 1.0), xytext=(0, 4), **at)  # type: ignore[arg-type]
    axes.set_xlim(low, high)
    # Less than a decade or two needs marks between the powers of ten.
    marks = (1.0, 2.0, 5.0) if high / low < 2000 else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(subs=marks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("milliseconds, log scale")
    axes.tick_params(colors=GREY)
    # Below the axes, where no curve can run through them.
    for index, (texts, colour) in enumerate(notes):
        for place, text in zip((0.0, 0.5, 0.75), texts, strict=True):
            at = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "top"}
            offset = (0, -46 - 19 * index)
            axes.annotate(text, xy=(place, 0), xytext=offset, color=colour, **at)  # type: ignore[arg-type]
