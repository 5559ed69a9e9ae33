"""Load plot: attainment and goodput against the arrival rate, and where systems break; bars without a sweep."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.results.breaking import RATE
from simcore.results.plots.style import GREY, colours, figure, label_ends, point_words, save
from simcore.results.stats import Interval, Run, over_seeds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curve = list[tuple[float, Interval]]


def draw_load(summary: Mapping[str, Any], path: Path) -> Path | None:
    """Draw attainment and goodput over the swept rates, or as bars; None without an SLO."""
    runs = summary["runs"]
    if not summary["slo"] or not runs:
        return None
    rates = {run["point"].get(RATE) for run in runs}
    if len(rates) < 2 or None in rates:
        return _draw_bars(summary, path)
    slo = _slo_words(summary["slo"])
    with figure(f"Requests within the SLO as load grows ({slo})", 1, 2, 5.6) as (drawn, ((left, right),)):
        attained = {name: _curve(ours, "slo_attainment", 100.0) for name, ours in _series(runs).items()}
        goodput = {name: _curve(ours, "request_goodput", 1.0) for name, ours in _series(runs).items()}
        left.set_title("Share of requests within the SLO, %")
        left.set_ylim(0, 103)
        _draw_curves(left, attained)
        _mark_breaks(left, summary["breaking"], list(attained))
        right.set_title("Goodput: requests within the SLO per second,\nuntil the last one has finished")
        top = max(found.mean for curve in goodput.values() for _, found in curve)
        right.set_ylim(0, top * 1.15 or 1.0)
        _draw_curves(right, goodput)
        _draw_diagonal(right)
        return save(drawn, path)


def _series(runs: list[Run]) -> dict[str, list[Run]]:
    """Return runs by name of their line: the system, and what else is swept."""
    series: dict[str, list[Run]] = {}
    for run in runs:
        others = point_words({key: value for key, value in run["point"].items() if key != RATE})
        series.setdefault(", ".join(filter(None, [run["system"], others])), []).append(run)
    return series


def _curve(runs: list[Run], metric: str, factor: float) -> Curve:
    curve: Curve = []
    for rate in sorted({run["point"][RATE] for run in runs}):
        found = over_seeds([run for run in runs if run["point"][RATE] == rate], metric)
        if found is not None:
            low, high = (None if bound is None else bound * factor for bound in (found.low, found.high))
            curve.append((rate, Interval(found.n, found.mean * factor, low, high)))
    return curve


def _draw_curves(axes: "Axes", curves: Mapping[str, Curve]) -> None:
    """Draw a line with its 95% band per system, labelled at its end."""
    looks = colours(list(curves))
    ends = []
    for name, curve in curves.items():
        colour, style = looks[name]
        rates = [rate for rate, _ in curve]
        means = [found.mean for _, found in curve]
        axes.plot(rates, means, style, color=colour, marker="o", markersize=5, clip_on=False)
        banded = [(rate, found.low, found.high) for rate, found in curve if found.low is not None]
        if banded:
            at, low, high = zip(*banded, strict=True)
            axes.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)
        ends.append((means[-1], name, colour))
    axes.set_xlabel("arrival rate, requests per second")
    swept = [rate for curve in curves.values() for rate, _ in curve]
    axes.set_xlim(min(swept) - 0.04 * (max(swept) - min(swept)), max(swept))
    label_ends(axes, ends)


def _mark_breaks(axes: "Axes", breaking: list[Mapping[str, Any]], names: list[str]) -> None:
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
    axes.text(0.03, 0.05 + 0.05 * len(lines), f"keeps {target:g}% up to", transform=axes.transAxes, color=GREY)
    for index, (text, colour) in enumerate(reversed(lines)):
        place = (0.03, 0.05 + 0.05 * index)
        axes.text(*place, f"{text} req/s", transform=axes.transAxes, color=colour, fontweight="bold")


def _draw_diagonal(axes: "Axes") -> None:
    """Draw goodput as it were if every request met the SLO."""
    low, high = axes.get_xlim()
    axes.plot([low, high], [low, high], ":", color=GREY, linewidth=1.2, zorder=1)
    top = min(high, axes.get_ylim()[1]) * 0.97
    at = {"textcoords": "offset points", "color": GREY, "ha": "right", "va": "center"}
    axes.annotate("all that arrives", xy=(top, top), xytext=(-10, 0), **at)  # type: ignore[arg-type]


def _draw_bars(summary: Mapping[str, Any], path: Path) -> Path:
    """Draw attainment and goodput per system (and sweep point) as bars with intervals."""
    groups: dict[str, list[Run]] = {}
    for run in summary["runs"]:
        groups.setdefault(", ".join(filter(None, [run["system"], point_words(run["point"])])), []).append(run)
    looks = colours(list(dict.fromkeys(run["system"] for run in summary["runs"])))
    title = f"Requests within the SLO ({_slo_words(summary['slo'])})"
    height = 1.9 + 0.55 * len(groups)
    with figure(title, 1, 2, height, sharey=True) as (drawn, ((left, right),)):
        panels = (
            (left, "slo_attainment", 100.0, "Share of requests within the SLO, %"),
            (right, "request_goodput", 1.0, "Goodput: requests within the SLO per second"),
        )
        for axes, metric, factor, heading in panels:
            axes.set_title(heading)
            axes.grid(axis="y", visible=False)
            for row, ours in enumerate(groups.values()):
                found = over_seeds(ours, metric)
                if found is None:
                    continue
                half = None if found.half_width is None else found.half_width * factor
                colour = looks[ours[0]["system"]][0]
                axes.barh(row, found.mean * factor, color=colour, height=0.62, xerr=half, ecolor="#222222", capsize=4)
                reach = (found.mean * factor) + (half or 0.0)
                axes.annotate(
                    f"{found.mean * factor:.1f}",
                    xy=(reach, row),
                    xytext=(6, 0),
                    textcoords="offset points",
                    va="center",
                )
            axes.set_yticks(range(len(groups)), list(groups))
            axes.margins(x=0.14)
            axes.set_xlim(left=0)
        left.invert_yaxis()
        return save(drawn, path)


def _slo_words(slo: Mapping[str, Any]) -> str:
    """Return an SLO in words, of each class only what is its own.

    >>> _slo_words({"ttft_ms": 500, "tpot_ms": 50, "classes": {"chat": {"ttft_ms": 200, "tpot_ms": 50}}})
    'TTFT ≤ 500 ms, TPOT ≤ 50 ms; chat: TTFT ≤ 200 ms'
    """
    common = {key: bound for key, bound in slo.items() if key != "classes"}
    words = [_limits(common)] if common else []
    for name, limits in slo.get("classes", {}).items():
        own = {key: bound for key, bound in limits.items() if bound != common.get(key)}
        words += [f"{name}: {_limits(own)}"] if own else []
    return "; ".join(words)


def _limits(limits: Mapping[str, float]) -> str:
    return ", ".join(f"{key.removesuffix('_ms').upper()} ≤ {bound:g} ms" for key, bound in limits.items())
