"""Scales: ticks of logarithmic axes that people can read, however few decades they span."""

from typing import TYPE_CHECKING

from simcore.results.wording import number

if TYPE_CHECKING:
    from matplotlib.axis import Axis


def log_ticks(axis: "Axis", low: float, high: float) -> None:
    """Mark 1, 2, 5 of each power of ten where the axis spans less than about two of them, else the powers alone."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 200 else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value) if value >= 10_000 else f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
