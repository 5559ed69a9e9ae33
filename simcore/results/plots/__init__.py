"""Plots: a study in pictures. Each file draws one kind of chart; equal results give equal bytes.

A chart is a `Panel`: `draw_plots` puts a few of them into each PNG, the HTML report shows each by itself. Matplotlib is
loaded when one is drawn, not when this package is imported.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simcore.results.frames import read_summary
from simcore.results.stats import point_text

__all__ = ["draw_plots", "telling_point"]


def draw_plots(out: Path, point: Mapping[str, Any] | None = None) -> list[Path]:
    """Draw the figures of a result folder into `out/plots` and return their paths.

    Args:
        out: result folder.
        point: sweep point whose distributions and time series are shown; None: `telling_point`.
    """
    from simcore.results.plots.distributions import draw_distributions
    from simcore.results.plots.learning import draw_learning
    from simcore.results.plots.load import draw_load
    from simcore.results.plots.resolved import read_resolved, warm_up_of
    from simcore.results.plots.rollouts import draw_rollouts
    from simcore.results.plots.timeline import draw_timeline

    summary = read_summary(out)
    chosen = telling_point(summary) if point is None else point
    folder = out / "plots"
    folder.mkdir(exist_ok=True)
    warm_up = warm_up_of(read_resolved(out), chosen)
    drawn = [
        draw_load(summary, folder / "goodput.png"),
        draw_distributions(out, summary, chosen, folder / "latency.png", warm_up),
        draw_timeline(out, summary, chosen, folder / "queue_and_kv.png"),
        draw_learning(out, summary, chosen, folder / "learning.png"),
        draw_rollouts(out, summary, chosen, folder / "rollouts.png"),
    ]
    return [path for path in drawn if path is not None]


def telling_point(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sweep point at which the systems differ most in attainment (without an SLO, in mean TTFT).

    Points at which every run is OVERLOADED, whose latencies tell the length of the run, are taken only where there are
    no others. Where the systems do not differ, or there is one: the last point, in the order of the sweep, at which all
    runs are STABLE, else the first. Without a sweep that is the empty point; ties go to the earlier one.
    """
    spread: dict[str, float] = {}
    points = {point_text(run["point"]): dict(run["point"]) for run in summary["runs"]}
    states = {text: [run["state"] for run in summary["runs"] if point_text(run["point"]) == text] for text in points}
    telling = [text for text in points if set(states[text]) != {"OVERLOADED"}] or list(points)
    for text in telling:
        runs = [run for run in summary["runs"] if point_text(run["point"]) == text]
        metric = "slo_attainment" if summary["slo"] else "mean_ttft_ms"
        means = []
        for system in dict.fromkeys(run["system"] for run in runs):
            values = [run["metrics"][metric] for run in runs if run["system"] == system]
            known = [value for value in values if value is not None]
            means += [sum(known) / len(known)] if known else []
        spread[text] = max(means) - min(means) if means else 0.0
    if not spread:
        return {}
    if not any(spread.values()):
        stable = [text for text in points if set(states[text]) == {"STABLE"}]
        return points[stable[-1] if stable else next(iter(points))]
    return points[max(spread, key=lambda text: spread[text])]
