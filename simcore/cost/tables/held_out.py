"""Held out: how far a table is off at points it was not given, and the bare roofline at the same points.

Every fifth value inside each axis is taken out of the table, so about half of the points of a table with three axes;
what is left is interpolated and compared with them. Points that then lie in no complete cell are counted apart.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simcore.cost.hardware import Hardware
from simcore.cost.tables.reference import roofline_seconds
from simcore.cost.tables.surface import surface
from simcore.cost.tables.table import Table, Values

_EVERY = 5

Mask = NDArray[np.bool_]
Regime = tuple[str, Callable[[Mapping[str, Values]], Mask]]

EXTRAPOLATED = "extrapolated"


@dataclass(frozen=True, slots=True)
class _Points:
    """Points left out: coordinates by axis, which axes they were left out of, seconds measured and predicted, [n]."""

    columns: Mapping[str, Values]
    out_of: Mapping[str, Mask]
    measured: Values
    predicted: Values
    roofline: Values
    inside: Mask


def held_out_errors(
    tables: Iterable[Table], hardware: Hardware, sizes: Mapping[str, int]
) -> dict[str, dict[str, dict[str, float]]]:
    """Return by kind of table and by regime: points, and median, p90 and worst size of the relative error.

    `roofline_median` and `roofline_p90` are the bare roofline's on the same points; `bias` the median with its sign.
    Points outside the complete cells that are left count in the regime `extrapolated` only.
    """
    kinds: dict[str, list[_Points]] = {}
    for table in tables:
        found = _held_out(table, hardware, sizes)
        if found is not None:
            kinds.setdefault(_kind(table), []).append(found)
    return {kind: _by_regime(parts) for kind, parts in kinds.items()}


def held_out(points: int) -> list[int]:
    """Return which of so many points of an axis are left out: every fifth, but never the last.

    >>> held_out(12)
    [4, 9]
    """
    return list(range(_EVERY - 1, points - 1, _EVERY))


def _held_out(table: Table, hardware: Hardware, sizes: Mapping[str, int]) -> _Points | None:
    out = [held_out(len(points)) for points in table.axes.values()]
    if not any(out):
        return None
    kept = [[i for i in range(len(points)) if i not in o] for points, o in zip(table.axes.values(), out, strict=True)]
    try:
        rest = surface(table.keeping(kept))
    except ValueError:
        return None
    coordinates, seconds = table.points()
    columns = dict(zip(table.axes, coordinates.T, strict=True))
    out_of = {
        name: np.isin(columns[name], [points[i] for i in o])
        for (name, points), o in zip(table.axes.items(), out, strict=True)
    }
    chosen = np.logical_or.reduce(list(out_of.values()))
    points = [tuple(point) for point in coordinates[chosen].tolist()]
    return _Points(
        {name: column[chosen] for name, column in columns.items()},
        {name: mask[chosen] for name, mask in out_of.items()},
        seconds[chosen],
        np.array([rest.at(*point) for point in points]),
        roofline_seconds(table, hardware, sizes)[chosen],
        np.array([rest.inside(*point) for point in points], dtype=np.bool_),
    )


def _by_regime(parts: list[_Points]) -> dict[str, dict[str, float]]:
    axes = list(parts[0].columns)
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in axes}
    out_of = {name: np.concatenate([part.out_of[name] for part in parts]) for name in axes}
    measured, predicted, roofline = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("measured", "predicted", "roofline")
    )
    inside = np.concatenate([part.inside for part in parts])
    chosen = {"all": inside}
    for name, regime in _regimes(axes):
        chosen[name] = inside & regime(columns)
    if len(axes) > 1:
        for name in axes:
            others = np.logical_or.reduce([out_of[other] for other in axes if other != name])
            chosen[f"only {name} left out"] = inside & out_of[name] & ~others
    chosen[EXTRAPOLATED] = ~inside
    return {
        name: _error(predicted[mask], roofline[mask], measured[mask]) for name, mask in chosen.items() if mask.any()
    }


def _error(predicted: Values, roofline: Values, measured: Values) -> dict[str, float]:
    relative = predicted / measured - 1
    bare = np.abs(roofline / measured - 1)
    sizes = np.abs(relative)
    return {
        "points": len(sizes),
        "median": round(float(np.median(sizes)), 4),
        "p90": round(float(np.percentile(sizes, 90)), 4),
        "worst": round(float(sizes.max()), 4),
        "bias": round(float(np.median(relative)), 4),
        "roofline_median": round(float(np.median(bare)), 4),
        "roofline_p90": round(float(np.percentile(bare, 90)), 4),
    }


def _kind(table: Table) -> str:
    dtype = table.labels.get("dtype", table.labels.get("kv_dtype", table.labels.get("backend")))
    return f"{table.term} {dtype}" if dtype else table.term


def _regimes(axes: list[str]) -> list[Regime]:
    if axes == ["m", "n", "k"]:
        wide: Regime = "n and k >= 1024", lambda at: (at["n"] >= 1024) & (at["k"] >= 1024)
        narrow: Regime = "n or k < 1024", lambda at: (at["n"] < 1024) | (at["k"] < 1024)
        return [*_thirds("m", 64, 512), wide, narrow]
    if axes[-1] in ("tokens", "context") and "batch" in axes:
        return [*_thirds(axes[-1], 256, 2048), *_thirds("batch", 4, 64)]
    return _thirds(axes[0], 64, 512) if axes[0] in ("tokens", "batch") else []


def _thirds(axis: str, low: int, high: int) -> list[Regime]:
    return [
        (f"{axis} <= {low}", lambda at: at[axis] <= low),
        (f"{axis} {low + 1} to {high}", lambda at: (at[axis] > low) & (at[axis] <= high)),
        (f"{axis} > {high}", lambda at: at[axis] > high),
    ]
