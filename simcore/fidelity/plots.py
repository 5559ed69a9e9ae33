"""Plots: predicted beside measured: a dot a request, distributions, and errors of iterations by kind."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simcore.fidelity.kept import LATENCIES, Seconds
from simcore.fidelity.measure import Timed
from simcore.results.plots.scales import log_ticks
from simcore.results.plots.style import GREY, INK, PALETTE, figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MEASURED, _SIMULATED = PALETTE[1], PALETTE[0]
_SHARES = np.linspace(0, 1, 201)


def draw(timed: Timed, title: str, folder: Path) -> list[Path]:
    """Draw the figures of one clock into `folder`; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _requests(timed, title, folder / f"{timed.clock}_requests.png"),
        _distributions(timed, title, folder / f"{timed.clock}_latency.png"),
        _iterations(timed, title, folder / f"{timed.clock}_iterations.png"),
    ]


def _requests(timed: Timed, title: str, path: Path) -> Path:
    with figure(f"Each request, {title}", 1, len(LATENCIES), 4.8) as (drawn, (grid,)):
        for axes, name in zip(grid, LATENCIES, strict=True):
            for number, each in enumerate(timed.repetitions):
                measured, simulated = _paired(each.measured, each.simulated, name)
                colour = PALETTE[number % len(PALETTE)]
                axes.plot(measured, simulated, ".", color=colour, markersize=5, alpha=0.6)
            _diagonal(axes)
            axes.set_title(name.upper())
            axes.set_xlabel("measured, ms")
            axes.set_ylabel("simulated, ms")
        return save(drawn, path)


def _diagonal(axes: "Axes") -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    low = min(axes.get_xlim()[0], axes.get_ylim()[0])
    high = max(axes.get_xlim()[1], axes.get_ylim()[1])
    axes.plot((low, high), (low, high), color=INK, linewidth=1)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    log_ticks(axes.xaxis, low, high)
    log_ticks(axes.yaxis, low, high)


def _distributions(timed: Timed, title: str, path: Path) -> Path:
    with figure(f"Distributions, {title}", 1, len(LATENCIES), 4.4, sharey=True) as (drawn, (grid,)):
        for axes, name in zip(grid, LATENCIES, strict=True):
            for number, each in enumerate(timed.repetitions):
                pairs = zip(_paired(each.measured, each.simulated, name), ("measured", "simulated"), strict=True)
                for values, what in (pair for pair in pairs if len(pair[0])):
                    colour = _MEASURED if what == "measured" else _SIMULATED
                    label = what if number == 0 else None
                    axes.plot(np.quantile(values, _SHARES), 100 * _SHARES, color=colour, linewidth=1.4, label=label)
            axes.set_xscale("log")
            log_ticks(axes.xaxis, *axes.get_xlim())
            axes.set_title(name.upper())
            axes.set_xlabel("ms, log scale")
        grid[0].set_ylabel("requests with at most this, %")
        grid[0].legend(frameon=False)
        return save(drawn, path)


def _iterations(timed: Timed, title: str, path: Path) -> Path:
    kinds = list(dict.fromkeys(name for each in timed.repetitions for name in each.by_regime))
    with figure(f"Iterations: predicted against measured, {title}", 1, 1, 4.4) as (drawn, ((axes,),)):
        for number, each in enumerate(timed.repetitions):
            places = [kinds.index(name) + 0.12 * (number - (len(timed.repetitions) - 1) / 2) for name in each.by_regime]
            found = list(each.by_regime.values())
            axes.vlines(places, 0, [100 * error.p90 for error in found], color=GREY, linewidth=1)
            axes.plot(places, [100 * error.median for error in found], "_", color=_MEASURED, markersize=9)
            axes.plot(places, [100 * error.bias for error in found], "o", color=_SIMULATED, markersize=4)
        axes.axhline(0, color=INK, linewidth=1)
        axes.set_xticks(range(len(kinds)), kinds)
        axes.set_ylabel("error, %: dot bias, dash median size, line to p90")
        return save(drawn, path)


def _paired(measured: dict[str, Seconds], simulated: dict[str, Seconds], name: str) -> tuple[Seconds, Seconds]:
    """Return the milliseconds of the requests that both runs have, in the same order."""
    both, ours, theirs = np.intersect1d(measured["request"], simulated["request"], return_indices=True)
    pair = 1000 * np.stack([measured[name][ours], simulated[name][theirs]])
    assert pair.shape == (2, len(both))
    kept = pair[:, ~np.isnan(pair).any(axis=0)]
    return kept[0], kept[1]
