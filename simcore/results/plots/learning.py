"""Learning curves: what a model knows, and what its samples earn, against the time that took: a line per seed."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.results.frames import lessons_frame
from simcore.results.plots.labels import label_ends
from simcore.results.plots.style import figure, save, system_looks
from simcore.results.plots.words import where_words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_KNOWS = ("accuracy", "Held-out prompts answered right, %")
_EARNS = ("reward", "Mean reward of all samples, % (over ten steps)")
_TIMES = (("virtual_s", "seconds of the cluster's clock"), ("cpu_s", "seconds of CPU, everything included"))
_STEPS = 10


def draw_learning(out: Path, summary: Mapping[str, Any], point: Mapping[str, Any], path: Path) -> Path | None:
    """Draw accuracy and reward against both clocks; None for a study in which nobody learns."""
    if not (out / "lessons.parquet").exists():
        return None
    frame = lessons_frame(out, **point)
    with figure(f"What the model has learned{where_words(point)}", 2, 2, 8.4, sharex=False) as (drawn, rows):
        for cells, (what, title) in zip(rows, (_KNOWS, _EARNS), strict=True):
            for axes, (clock, words) in zip(cells, _TIMES, strict=True):
                axes.set_title(title)
                _draw(axes, frame, system_looks(summary), what, clock)
                axes.set_xlabel(words)
        return save(drawn, path)


def _draw(axes: "Axes", frame: "pd.DataFrame", looks: Mapping[str, tuple[str, str]], what: str, clock: str) -> None:
    axes.set_ylim(0, 100)
    ends = []
    for system, (colour, style) in looks.items():
        last = []
        for _, rows in frame[frame["system"] == system].groupby("seed"):
            values = rows[what] if what == "accuracy" else rows[what].rolling(_STEPS, min_periods=1).mean()
            known = values.notna()
            axes.plot(rows[clock][known], 100 * values[known], color=colour, linestyle=style, linewidth=1.3)
            last.append(100 * float(values[known].iloc[-1]))
        if last:
            ends.append((sum(last) / len(last), system, colour))
    axes.set_xlim(left=0)
    label_ends(axes, ends)
