"""Style: the look all plots share. Colours are Okabe and Ito's, told apart by colour-blind readers too."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.")
GREY = "#666666"
INK = "#222222"
WIDTH_INCHES = 12.0
DPI = 100

RC: Any = {
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelcolor": "#333333",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 13,
    "axes.titlepad": 10,
    "figure.titlesize": 15,
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
    "lines.linewidth": 2.0,
    "text.parse_math": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
}


@contextmanager
def figure(
    title: str, rows: int, columns: int, height_inches: float, *, sharex: bool = False, sharey: bool = False
) -> Iterator[tuple["Figure", Any]]:
    """Yield a figure with a grid of axes, [rows, columns], drawn without a display."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context(RC):
        drawn = Figure(figsize=(WIDTH_INCHES, height_inches), dpi=DPI, layout="constrained")
        FigureCanvasAgg(drawn)
        drawn.get_layout_engine().set(w_pad=0.12, h_pad=0.1, wspace=0.04)  # type: ignore[union-attr, call-arg]
        drawn.suptitle(title, x=0.012, ha="left", fontweight="bold")
        yield drawn, drawn.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey)


def save(drawn: "Figure", path: Path) -> Path:
    """Write a PNG that holds nothing but the picture: no date, no version."""
    drawn.savefig(path, metadata={"Software": None})
    return path


def colours(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return (colour, line style) by name, in the order given; styles change when the colours run out."""
    return {
        name: (PALETTE[index % len(PALETTE)], LINES[index // len(PALETTE) % len(LINES)])
        for index, name in enumerate(names)
    }


def point_words(point: Mapping[str, Any], units: Mapping[str, str] | None = None) -> str:
    """Return a sweep point in words.

    >>> point_words({"workload.rate": 8.0}, {"workload.rate": "req/s"})
    'rate 8 req/s'
    """
    words = []
    for key, value in point.items():
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        words.append(" ".join(filter(None, [key.rsplit(".", 1)[-1], shown, (units or {}).get(key, "")])))
    return ", ".join(words)


def system_looks(summary: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return (colour, line style) of each system of a study: the same in all its charts."""
    return colours(list(dict.fromkeys(run["system"] for run in summary["runs"])))
