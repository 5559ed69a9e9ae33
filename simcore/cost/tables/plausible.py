"""Plausible: whether measured times can be what they are said to be, on the GPU they are said to be from."""

import re
from collections.abc import Mapping

import numpy as np

from simcore.cost.hardware import Hardware
from simcore.cost.tables.reference import peak_seconds, roofline_seconds
from simcore.cost.tables.table import Table

_APART = 20.0
"""Half of the points of a real table lie within 7 times the roofline; the next unit is a thousand times away."""
_ABOVE_PEAK = 1.05
_SAID = 5


def require_device(device: str, hardware: Hardware, where: object) -> None:
    """Raise ValueError unless a device's name, as CUDA reports it, is this GPU's: both must have its model number."""
    number = re.search(r"\b(?:RTX (?:PRO )?\w+|[A-Z]{1,2}\d{2,3}[A-Z]?)\b", device)
    if number and number.group().lower() not in hardware.name.lower():
        raise ValueError(f"{where}: measured on {device!r}, not on {hardware.name}")


def plausible(
    table: Table, hardware: Hardware, sizes: Mapping[str, int], where: object, *, drop: bool = False
) -> tuple[Table, int]:
    """Return the table, and how many points were taken out of it because they cannot be right (only with `drop`).

    Raises ValueError when times are in another unit, or of another GPU, going by the roofline; and, unless `drop`,
    when a point would run above the GPU's peak.
    """
    seconds = table.points()[1]
    ratio = float(np.median(seconds / roofline_seconds(table, hardware, sizes)))
    if not 1 / _APART <= ratio <= _APART:
        raise ValueError(
            f"{where}: {table}: half of the times are {_times(ratio)} what the roofline of {hardware.name} says, and "
            f"must be within {_APART:g} times of it: is this the right unit, and the right GPU?"
        )
    peak = peak_seconds(table, hardware, sizes)
    impossible = seconds * _ABOVE_PEAK < peak
    if not impossible.any():
        return table, 0
    if drop:
        kept = table.seconds.copy()
        kept[tuple(np.argwhere(np.isfinite(table.seconds))[impossible].T)] = np.nan
        return Table(table.term, table.labels, table.axes, kept), int(impossible.sum())
    points = table.points()[0][impossible][:_SAID].tolist()
    said = "; ".join(", ".join(f"{n} {x:g}" for n, x in zip(table.axes, point, strict=True)) for point in points)
    worst = float((peak[impossible] / seconds[impossible]).max())
    raise ValueError(
        f"{where}: {table}: {impossible.sum()} of {len(seconds)} points would run above the peak of {hardware.name}, "
        f"by up to {worst:.3g} times ({said}): is this the right unit, and the right GPU? "
        "To leave them out: --drop-impossible"
    )


def _times(ratio: float) -> str:
    return f"{ratio:.3g} times" if ratio >= 1 else f"one {1 / ratio:.3g}th of"
