"""Figures: a result folder drawn as one wants to see it, each figure on one Axes, for notebooks.

Each method draws on `ax`, or on a new figure of pyplot's, which a notebook shows by itself, and returns the Axes:
titles, limits and scales are yours to change. The figures that a run writes are drawn by `simcore.results.plots`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simcore.results.breaking import RATE
from simcore.results.frames import instances_frame, read_summary, requests_frame
from simcore.results.intervals import difference_frame, mean_frame, sweep_keys
from simcore.results.plots import telling_point
from simcore.results.plots.style import GREY, colours, point_words
from simcore.results.wording import SHARES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SIZE_INCHES = (7.5, 4.2)
POINTS_PER_INCH = 72
_MARKS = {"marker": "o", "markersize": 4, "elinewidth": 1.0, "capsize": 3}
LATENCIES = ("ttft", "tpot", "e2el", "queue")
SERIES = {
    "waiting": "requests waiting, all instances",
    "running": "requests running, all instances",
    "kv": "KV blocks in use, % of all pools",
}


@dataclass(frozen=True)
class Figures:
    """The figures of the result folder `out`."""

    out: Path

    def load(
        self,
        metric: str = "slo_attainment",
        *,
        along: str | None = None,
        slo: float | None = None,
        ax: "Axes | None" = None,
    ) -> "Axes":
        """Draw a metric against the arrival rate: a line per system, its 95% interval over the seeds at each point.

        Args:
            metric: a column of `summary`; shares are drawn in percent.
            along: the sweep key on the x axis, or its last part; None: the rate if it is swept, else the first.
            slo: where to draw a bound, in the unit of the axis.
            ax: where to draw.

        Further sweep keys make lines of their own. Raises ValueError for a metric or key that no run has.
        """
        frame = mean_frame(self._summary, [metric])
        return self._lines(frame, "mean", metric, along, slo, ax)

    def differences(
        self, metric: str, *, baseline: str | None = None, along: str | None = None, ax: "Axes | None" = None
    ) -> "Axes":
        """Draw the paired differences to the baseline (None: the first system) with their 95% intervals, as `load`."""
        frame = difference_frame(self._summary, [metric], baseline)
        drawn = self._lines(frame, "difference", metric, along, 0.0, ax)
        first = baseline or self._systems[0]
        drawn.set_ylabel(f"{drawn.get_ylabel()}: difference to {first}")
        return drawn

    def cdf(self, latency: str = "ttft", *, slo: float | None = None, ax: "Axes | None" = None, **point: Any) -> "Axes":
        """Draw the share of finished requests, of all seeds, with at most so much latency: a line per system.

        Args:
            latency: "ttft", "tpot", "e2el" or "queue".
            slo: where to draw a bound, ms; None: where the study has it.
            ax: where to draw.
            point: as in `requests`, e.g. `rate=180`; what is not said is as where the systems differ most.

        Raises ValueError for a latency, sweep key or value that is not there.
        """
        if latency not in LATENCIES:
            raise ValueError(f"latency must be one of {', '.join(LATENCIES)}, got {latency!r}")
        where = self._whole(point)
        frame = requests_frame(self.out, columns=["system", "state", f"{latency}_s"], **where)
        frame = frame[frame["state"] == "finished"].dropna()
        axes = _axes(ax)
        looks = colours(self._systems)
        for system in self._systems:
            ms = np.sort(frame.loc[frame["system"] == system, f"{latency}_s"].to_numpy() * 1000)
            shares = 100 * np.arange(1, len(ms) + 1) / max(len(ms), 1)
            colour, style = looks[system]
            axes.plot(ms, shares, style, color=colour, label=system, drawstyle="steps-post")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel(f"{latency.upper() if latency != 'queue' else 'time in the queue'}, ms")
        axes.set_ylabel("finished requests with at most this, %")
        axes.set_title(_at(where))
        _bound(axes.axvline, self._summary["slo"].get(f"{latency}_ms") if slo is None else slo, "SLO")
        axes.legend(frameon=False)
        return axes

    def timeline(
        self, what: str = "waiting", *, seed: int | None = None, ax: "Axes | None" = None, **point: Any
    ) -> "Axes":
        """Draw the whole cluster over time, in one seed (None: the first): "waiting", "running" or "kv".

        `ax` and `point` as in `cdf`. Raises ValueError for a series, seed, sweep key or value that is not there.
        """
        if what not in SERIES:
            raise ValueError(f"series must be one of {', '.join(SERIES)}, got {what!r}")
        where = self._whole(point)
        seeds = self._summary["seeds"]
        chosen = seeds[0] if seed is None else seed
        if chosen not in seeds:
            raise ValueError(f"seed must be one of {', '.join(map(str, seeds))}, got {chosen!r}")
        frame = instances_frame(self.out, **where)
        series = _cluster(frame[frame["seed"] == chosen])
        axes = _axes(ax)
        looks = colours(self._systems)
        for system in self._systems:
            ours = series[series["system"] == system]
            colour, style = looks[system]
            axes.plot(ours["at_s"], ours[what], style, color=colour, label=system, linewidth=1.2)
        axes.set_xlabel("seconds since the start of the workload")
        axes.set_ylabel(SERIES[what])
        axes.set_ylim(bottom=0)
        axes.set_title(", ".join(filter(None, [_at(where), f"seed {chosen}"])))
        axes.legend(frameon=False)
        return axes

    @cached_property
    def _summary(self) -> Mapping[str, Any]:
        return read_summary(self.out)

    @property
    def _systems(self) -> list[str]:
        return list(dict.fromkeys(run["system"] for run in self._summary["runs"]))

    def _whole(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Return a full sweep point: what is given, the rest from the telling point."""
        given = {self._key(name): value for name, value in point.items()}
        return telling_point(self._summary) | given

    def _key(self, name: str | None) -> str:
        """Return the sweep key that `name` is, or is the last part of; None: the rate, else the first."""
        keys = sweep_keys(self._summary)
        if not keys:
            raise ValueError("nothing was swept: there is nothing to draw along; cdf and timeline draw one point")
        if name is None:
            return RATE if RATE in keys else keys[0]
        found = [key for key in keys if name in (key, key.rsplit(".", 1)[-1])]
        if len(found) != 1:
            raise ValueError(f"sweep key {name!r} must name one of {', '.join(keys)}")
        return found[0]

    def _lines(
        self, frame: "pd.DataFrame", value: str, metric: str, along: str | None, bound: float | None, ax: "Axes | None"
    ) -> "Axes":
        """Draw column `value` and its interval against a sweep key, a line per system and other sweep keys."""
        from matplotlib.transforms import ScaledTranslation
        from pandas.api.types import is_bool_dtype, is_numeric_dtype

        key = self._key(along)
        if frame.empty:
            raise ValueError(f"no run has a value of {metric!r}")
        factor = 100.0 if metric in SHARES else 1.0
        runs = self._summary["runs"]
        others = [name for name in sweep_keys(self._summary) if name != key]
        looks = colours(list(dict.fromkeys(_line_name(run["system"], run["point"], others) for run in runs)))
        lines = [_line_name(row["system"], row, others) for row in frame.to_dict("records")]
        axes = _axes(ax)
        shifts = _shifts(len(set(lines)))
        for (name, line), shift in zip(frame.groupby(lines, sort=False), shifts, strict=True):
            colour, style = looks[str(name)]
            numeric = is_numeric_dtype(line[key]) and not is_bool_dtype(line[key])
            ordered = line.sort_values(key) if numeric else line.astype({key: str})
            middle, high = factor * ordered[value], factor * ordered["ci_high"]
            look: Any = {"linestyle": style, "color": colour, "label": name, **_MARKS}
            drawn = axes.errorbar(ordered[key], middle, high - middle, **look)
            # Side by side, so that intervals do not hide one another.
            place = axes.transData + ScaledTranslation(shift / POINTS_PER_INCH, 0, axes.figure.dpi_scale_trans)
            for artist in drawn.get_children():
                artist.set_transform(place)
        axes.set_xlabel("arrival rate, requests per second" if key == RATE else key)
        axes.set_ylabel(metric_words(metric))
        _bound(axes.axhline, bound, "SLO" if value == "mean" else "")
        axes.legend(frameon=False)
        return axes


def metric_words(metric: str) -> str:
    """Return a metric as an axis calls it.

    >>> metric_words("p99_ttft_ms"), metric_words("slo_attainment"), metric_words("request_goodput")
    ('p99 TTFT, ms', 'SLO attainment, %', 'request goodput')
    """
    words = metric.removesuffix("_ms").split("_")
    text = " ".join(word.upper() if word in _ACRONYMS else word for word in words)
    unit = ", ms" if metric.endswith("_ms") else ", %" if metric in SHARES else ""
    return text + unit


_ACRONYMS = ("ttft", "tpot", "itl", "e2el", "slo")


def _line_name(system: str, point: Mapping[Any, Any], others: list[str]) -> str:
    """Return what the legend calls a line: the system, and what else is swept."""
    return ", ".join(filter(None, [system, point_words({key: point[key] for key in others})]))


def _shifts(lines: int) -> list[float]:
    """Return how far to the right each line is drawn, in points.

    >>> _shifts(3)
    [-3.0, 0.0, 3.0]
    """
    return [3.0 * (index - (lines - 1) / 2) for index in range(lines)]


def _cluster(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Return the sums over the instances at each date, and the share of KV blocks in use."""
    columns = ["waiting", "running", "used_blocks", "kv_blocks"]
    sums = frame.groupby(["system", "at_s"], observed=True)[columns].sum().reset_index()
    return sums.assign(kv=100 * sums["used_blocks"] / sums["kv_blocks"])


def _at(point: Mapping[str, Any]) -> str:
    words = point_words(point, {RATE: "req/s"})
    return f"at {words}" if words else ""


def _axes(ax: "Axes | None") -> "Axes":
    """Return `ax`, or new axes, with the look of all figures."""
    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.subplots(figsize=SIZE_INCHES, layout="constrained")[1]
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.35, linewidth=0.6)
    ax.tick_params(colors=GREY)
    return ax


def _bound(draw: Any, at: float | None, name: str) -> None:
    """Draw a bound with `axhline` or `axvline`; the legend names it, if it has a name."""
    if at is not None:
        label = f"{name} {at:g}" if name else "_"
        draw(at, color="#222222", linewidth=1.2, linestyle=(0, (4, 2)), label=label)
