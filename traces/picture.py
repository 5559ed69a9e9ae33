"""Picture: what a workload is like, on one page: its arrivals, lengths, shared prefixes and programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from traces.saving import part_of
from traces.statistics import ArrivalStatistics, ProgramStatistics, Spread, Statistics
from traces.tallies import LogTally
from traces.uses import BLOCK_TOKENS, Uses

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind = Literal["count", "time", "share"]

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"
"""Of Okabe and Ito, as in the plots of results."""

_BINS = 240
"""Of the rate over time: each a few pixels wide."""
_ROUND_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)

_RC: Any = {
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelcolor": "#333333",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titlepad": 8,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "text.parse_math": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
}


def draw(statistics: Statistics, path: Path, *, overwrite: bool = False) -> None:
    """Write a picture as PNG. Raises TraceError if the file cannot be written."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    layout = _layout(statistics)
    with part_of(path, overwrite=overwrite) as part, rc_context(_RC):
        figure = Figure(figsize=(14.0, 0.7 + 3.7 * len(layout)), dpi=100, layout="constrained")
        FigureCanvasAgg(figure)
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1, wspace=0.03)  # type: ignore[union-attr, call-arg]
        figure.suptitle(_title(statistics), x=0.012, ha="left", fontsize=14, fontweight="bold")
        axes = figure.subplot_mosaic(layout)  # type: ignore[arg-type]
        _arrivals(axes["arrivals"], statistics.arrivals)
        _gaps(axes["gaps"], statistics.arrivals)
        _lengths(axes["lengths"], statistics)
        _histogram(axes["histogram"], statistics)
        if statistics.sharing is not None:
            _sharing(axes["sharing"], statistics.sharing.uses, statistics.sharing.found)
        if statistics.programs is not None:
            _turns(axes["turns"], statistics.programs.turns)
            _waits(axes["waits"], statistics.programs.gaps)
            if len(statistics.programs.tools) > 1:
                _tools(axes["tools"], statistics.programs)
        figure.savefig(part, format="png", metadata={"Software": None})


def _layout(statistics: Statistics) -> list[list[str]]:
    """Return the panels, row by row; a name that stands twice is a panel that wide."""
    rows = [["arrivals", "arrivals", "sharing" if statistics.sharing is not None else "arrivals"]]
    rows.append(["gaps", "lengths", "histogram"])
    if statistics.programs is not None:
        rows.append(["turns", "waits", "tools" if len(statistics.programs.tools) > 1 else "waits"])
    return rows


def _title(statistics: Statistics) -> str:
    tokens = (statistics.prompt_tokens.sum + statistics.output_tokens.sum) / 1e6
    return f"{statistics.name}: {statistics.requests:,} requests, {tokens:,.4g} million tokens"


def _arrivals(axes: "Axes", arrivals: ArrivalStatistics) -> None:
    width_s = next((each for each in _ROUND_S if arrivals.span_s / each <= _BINS), _ROUND_S[-1])
    rate = arrivals.timeline.windows(width_s) / width_s
    scale, unit = _scale(arrivals.span_s)
    edges = np.arange(len(rate) + 1) * width_s / scale
    axes.stairs(rate, edges, fill=True, color=BLUE, alpha=0.85, linewidth=0)
    title = f"Arrivals of {arrivals.of}, in windows of {width_s:,} s"
    if arrivals.rate is not None:
        axes.axhline(arrivals.rate, color="black", linestyle="--", linewidth=1.2)
        title += f"; mean {arrivals.rate:.3g} per second (dashed)"
    axes.set_title(title)
    axes.set(xlabel=f"time ({unit})", ylabel=f"{arrivals.of} per second", xlim=(0, edges[-1]), ylim=(0, None))


def _scale(span_s: float) -> tuple[float, str]:
    for scale, unit in ((86_400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if span_s >= 3 * scale:
            return scale, unit
    return 1.0, "s"


def _gaps(axes: "Axes", arrivals: ArrivalStatistics) -> None:
    """Draw how many gaps are longer than a time: a straight cliff for Poisson, a long slope for bursts and silences."""
    seconds, longer = arrivals.gaps.exceeding()
    cv = "" if arrivals.gap_cv is None else f": CV {arrivals.gap_cv:.3g}"
    axes.set_title(f"Time between arrivals{cv}")
    axes.set(xlabel="time", ylabel="share of gaps at least as long")
    if not len(seconds):
        _say(axes, "all arrive at once")
        return
    mean_s, least = arrivals.gaps.mean, 0.5 / arrivals.gaps.n
    at = np.geomspace(min(seconds[0], mean_s / 100), seconds[-1] * 2, 300)
    x, y = np.r_[at[0], seconds, seconds[-1]], np.r_[longer[0], longer, least]
    axes.loglog(x, y, color=BLUE, label="trace", drawstyle="steps-post")
    axes.loglog(at, np.exp(-at / mean_s), color=GREY, linestyle="--", linewidth=1.4, label="exponential")
    axes.set_ylim(least, 1.5)
    _ticks(axes, x="time", y="share")
    if arrivals.gaps.zeros:
        axes.plot([], [], " ", label=f"{arrivals.gaps.zeros / arrivals.gaps.n:.1%} are 0")
    axes.legend(loc="lower left")


def _lengths(axes: "Axes", statistics: Statistics) -> None:
    for spread, name, colour in _sides(statistics):
        values, counts = spread.tally.table()
        share = np.cumsum(counts) / spread.n
        axes.plot(np.append(values, values[-1]), np.append(0.0, share), color=colour, drawstyle="steps-pre", label=name)
        for quantile, height in ((spread.p50, 0.5), (spread.p99, 0.99)):
            axes.plot(quantile, height, "o", color=colour, markersize=5)
            axes.annotate(f"{quantile:,.0f}", (quantile, height), (5, -11), textcoords="offset points", color=colour)
    axes.set(xscale="log", xlabel="tokens", ylabel="share of requests with at most so many", ylim=(0, 1.02))
    axes.margins(x=0.12)
    axes.set_title("Lengths: median and 99th percentile")
    axes.legend(loc="upper left")
    _ticks(axes, x="count")


def _histogram(axes: "Axes", statistics: Statistics) -> None:
    for spread, name, colour in _sides(statistics):
        values, counts = spread.tally.table()
        edges = np.unique(np.floor(np.geomspace(1, values[-1] + 1, 60)))
        share, _ = np.histogram(values, bins=np.append(edges[:-1], values[-1] + 1), weights=counts / spread.n)
        axes.stairs(share, edges, fill=True, color=colour, alpha=0.45, label=f"{name}: mean {spread.mean:,.0f}")
    axes.set(xscale="log", xlabel="tokens", ylabel="share of requests in each bin")
    axes.set_ylim(0, axes.dataLim.y1 * 1.3)
    axes.set_title("Lengths: how often")
    axes.legend(loc="upper left")
    _ticks(axes, x="count")


def _sides(statistics: Statistics) -> tuple[tuple[Spread, str, str], ...]:
    return (statistics.prompt_tokens, "prompt", BLUE), (statistics.output_tokens, "output", ORANGE)


def _sharing(axes: "Axes", uses: Uses, found: float) -> None:
    """Draw how much of all prompts stands in blocks that come often."""
    times, share = uses.table()
    times, at_least = np.r_[1, times], np.r_[1.0, share[::-1].cumsum()[::-1]]
    axes.plot(times, at_least, color=GREEN, marker="o" if len(times) < 20 else None, drawstyle="steps-pre")
    axes.fill_between(times, at_least, color=GREEN, alpha=0.15, step="pre")
    axes.set(xscale="log", xlabel=f"times that a block of {BLOCK_TOKENS} tokens comes", ylim=(0, 1.02))
    axes.set_ylabel("share of prompt tokens, at least so often")
    axes.set_title(f"Shared prefixes: {found:.1%} found")
    _ticks(axes, x="count")


def _turns(axes: "Axes", turns: Spread) -> None:
    values, counts = turns.tally.table()
    longer = counts[::-1].cumsum()[::-1] / turns.n
    axes.plot(values, longer, color=BLUE, marker="o" if len(values) < 30 else None, markersize=4)
    axes.set(xscale="log", yscale="log", xlabel="turns", ylabel="share of programs with at least so many")
    axes.set_title(f"Turns per program: mean {turns.mean:.3g}, most {turns.max:,}")
    _ticks(axes, x="count", y="share")


def _waits(axes: "Axes", gaps: LogTally) -> None:
    axes.set_title("Wait between a turn's end and the next turn")
    axes.set(xlabel="time", ylabel="share of waits at most as long", ylim=(0, 1.02))
    if not gaps.n:
        _say(axes, "no program has a second turn")
        return
    seconds, longer = gaps.exceeding()
    if not len(seconds):
        _say(axes, "nobody waits")
        return
    below: NDArray[np.float64] = 1 - longer
    axes.plot(seconds, below, color=BLUE)
    axes.set_xscale("log")
    _ticks(axes, x="time")
    for share in (0.5, 0.9, 0.99):
        wait_s = gaps.quantile(share)
        if wait_s > 0:
            axes.plot(wait_s, share, "o", color=BLUE, markersize=5)
            axes.annotate(_seconds(wait_s), (wait_s, share), (6, -11), textcoords="offset points", color=BLUE)


def _tools(axes: "Axes", programs: ProgramStatistics) -> None:
    most = sorted(programs.tools.items(), key=lambda tool: (-tool[1], tool[0]))[:10][::-1]
    calls = sum(programs.tools.values())
    axes.barh([name for name, _ in most], [count / max(calls, 1) for _, count in most], color=ORANGE, alpha=0.85)
    axes.set(xlabel="share of calls")
    axes.grid(axis="y", visible=False)
    axes.set_title(f"Tools: {calls:,} calls")


def _ticks(axes: "Axes", *, x: Kind, y: Kind | None = None) -> None:
    """Label a logarithmic axis with words: 10k, 1 ms, 0.1%."""
    from matplotlib.ticker import EngFormatter, FuncFormatter, NullFormatter

    words = {
        "count": EngFormatter(sep=""),
        "time": FuncFormatter(lambda s, _: _seconds(s) if s < 1000 else f"{s / 1000:g}k s"),
        "share": FuncFormatter(lambda share, _: f"{100 * share:g}%"),
    }
    for axis, kind in ((axes.xaxis, x), (axes.yaxis, y)):
        if kind is not None:
            axis.set_major_formatter(words[kind])
            axis.set_minor_formatter(NullFormatter())


def _seconds(seconds: float) -> str:
    """Return a time with its unit.

    >>> _seconds(0.0361), _seconds(12.0), _seconds(1234.5)
    ('36.1 ms', '12 s', '1,230 s')
    """
    for least, unit, scale in ((1.0, "s", 1.0), (1e-3, "ms", 1e3), (1e-6, "µs", 1e6)):
        if seconds >= least * (1 - 1e-9):
            return f"{float(f'{seconds * scale:.3g}'):,g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _say(axes: "Axes", what: str) -> None:
    axes.text(0.5, 0.5, what, transform=axes.transAxes, ha="center", va="center", color=GREY)
