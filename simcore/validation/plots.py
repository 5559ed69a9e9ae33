"""Plots: a replay beside the server, as PNGs."""

from pathlib import Path

import numpy as np

from simcore.results.plots.style import GREY, PALETTE, figure, save
from simcore.validation.findings import Findings
from simcore.validation.latencies import METRICS, measured
from simcore.validation.replay import Replayed
from simcore.validation.server_run import Seconds

REAL, PLAIN, DECLARED = "#000000", PALETTE[0], PALETTE[1]
_UNITS = {"TTFT": (1.0, "TTFT, s"), "TPOT": (1e3, "TPOT, ms"), "E2EL": (1.0, "end-to-end latency, s")}


def draw(findings: Findings, folder: Path) -> list[Path]:
    """Draw the figures of a replay into a folder, which is made, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [_latencies(findings, folder / "latencies.png"), _requests(findings, folder / "requests.png")]
    if findings.setting.run.series is not None:
        drawn.append(_series(findings, folder / "running_and_waiting.png"))
    if findings.tokens:
        drawn.append(_tokens(findings, folder / "steps_by_tokens.png"))
    return drawn


def _replays(findings: Findings) -> list[tuple[str, str, Replayed]]:
    found = [("nothing fitted", PLAIN, findings.plain)]
    if findings.declared is not None:
        found.append((f"{findings.overhead_s * 1e3:g} ms a step with prompts", DECLARED, findings.declared))
    return found


def _latencies(findings: Findings, path: Path) -> Path:
    real = measured(findings.setting.run)
    with figure("Share of requests below a latency", 1, 3, 4.2, sharey=True) as (drawn, axes):
        for ax, metric in zip(axes[0], METRICS, strict=True):
            scale, label = _UNITS[metric]
            ax.plot(*_cumulated(real.of(metric) * scale), color=REAL, label="measured")
            for name, colour, replayed in _replays(findings):
                values = replayed.latencies.of(metric) * scale
                ax.plot(*_cumulated(values), color=colour, label=name, linewidth=1.4)
            ax.set_xlabel(label)
        axes[0][0].set_ylabel("share of requests")
        axes[0][0].legend(frameon=False, loc="lower right", fontsize=9)
        return save(drawn, path)


def _requests(findings: Findings, path: Path) -> Path:
    real = measured(findings.setting.run)
    with figure("Each request: simulated against measured", 1, 3, 4.2) as (drawn, axes):
        for ax, metric in zip(axes[0], METRICS, strict=True):
            scale, label = _UNITS[metric]
            there = real.of(metric) * scale
            for name, colour, replayed in _replays(findings):
                ax.scatter(there, replayed.latencies.of(metric) * scale, s=9, alpha=0.6, color=colour, label=name)
            ends = (float(there.min()), float(there.max()))
            ax.plot(ends, ends, color=GREY, linewidth=1.0)
            ax.set_xlabel(f"{label}, measured")
        axes[0][0].set_ylabel("simulated")
        axes[0][0].legend(frameon=False, loc="upper left", fontsize=9)
        return save(drawn, path)


def _series(findings: Findings, path: Path) -> Path:
    series = findings.setting.run.series
    assert series is not None
    with figure("Requests over time", 1, 2, 4.2) as (drawn, axes):
        for ax, what in zip(axes[0], ("running", "waiting"), strict=True):
            ax.plot(series.at_s, getattr(series, what), color=REAL, label="measured")
            for name, colour, replayed in _replays(findings):
                there = replayed.series
                ax.plot(there.at_s, getattr(there, what), color=colour, label=name, linewidth=1.2)
            ax.set_xlabel("seconds since the first arrival")
            ax.set_title(what)
        axes[0][0].legend(frameon=False, fontsize=9)
        return save(drawn, path)


def _tokens(findings: Findings, path: Path) -> Path:
    most, counts, longer_ms = (np.array(column) for column in zip(*findings.tokens, strict=True))
    with figure("Steps with prompts: how much longer the server took than its kernels in the profile", 1, 1, 3.8) as (
        drawn,
        axes,
    ):
        ax = axes[0][0]
        ax.bar(most - 64, longer_ms, width=112, color=PLAIN)
        for x, count, value in zip(most - 64, counts, longer_ms, strict=True):
            ax.annotate(str(count), (x, max(value, 0)), ha="center", va="bottom", fontsize=8, color=GREY)
        ax.set_xticks(most[most % 256 == 0])
        ax.set_xlabel("tokens of the step (number of steps above each bar)")
        ax.set_ylabel("median, ms")
        return save(drawn, path)


def _cumulated(values: Seconds) -> tuple[Seconds, Seconds]:
    return np.sort(values), np.arange(1, len(values) + 1) / len(values)
