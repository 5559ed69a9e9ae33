"""Grid: a function known at measured points, linear in its values between them, in any number of dimensions.

Interpolation is linear, not logarithmic: over doubling axes the logarithm of a time overshoots a sum of a fixed and a
growing part by 12 to 14% in the middle of a cell. Points may be missing (NaN): a cell with a missing corner is answered
from the nearest complete one.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Beyond = Literal["linear", "proportional"]


class Grid:
    """Values measured at the crossings of some axes.

    axes: name to points, ascending. values: float64, one dimension per axis in the order of `axes`; NaN: not measured.
    beyond: how values go on above the last point, or outside the complete cells. `linear` follows the nearest cell, but
    never below its edge; `proportional` scales the edge as the coordinate. Below the first point, the edge holds.
    outside: how many look-ups lay outside the measured cells so far.

    Raises ValueError for axes that do not ascend or do not match the values, and for a grid without one complete cell.

    >>> grid = Grid({"m": [1, 2, 4], "n": [10, 20]}, np.array([[1.0, 2.0], [2.0, 4.0], [4.0, 8.0]]))
    >>> grid.at(3, 15)
    4.5
    >>> grid.at(8, 20), grid.inside(8, 20), grid.outside    # 4 beyond 4 tokens at 2 a token
    (16.0, False, 1)
    """

    def __init__(
        self, axes: Mapping[str, Sequence[float]], values: NDArray[np.float64], *, beyond: Beyond = "linear"
    ) -> None:
        self.axes = {name: [float(point) for point in points] for name, points in axes.items()}
        self.values = np.asarray(values, dtype=np.float64)
        self.beyond = beyond
        self.outside = 0
        _require_axes(self.axes, self.values)
        self._points = tuple(self.axes.values())
        self._flat: list[float] = self.values.ravel().tolist()
        self._strides = [stride // self.values.itemsize for stride in np.empty(self.values.shape).strides]
        # An axis of one point has one cell, whose two edges are that point.
        self._cells = tuple(max(1, len(points) - 1) for points in self._points)
        steps = [
            (0, stride if len(points) > 1 else 0) for points, stride in zip(self._points, self._strides, strict=True)
        ]
        self._corners = [sum(corner) for corner in product(*steps)]
        self._complete = self._complete_cells()
        self._nearest: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._ragged = not bool(self._complete.all())

    def at(self, *point: float) -> float:
        """Return the value at `point`, one coordinate per axis in order; counted in `outside` where it is."""
        value, inside = self._look_up(point)
        if not inside:
            self.outside += 1
        return value

    def inside(self, *point: float) -> bool:
        """Return whether `point` lies in a cell whose corners were all measured."""
        return self._look_up(point)[1]

    def along(self, axis: str, *others: float) -> tuple[list[float], list[float]]:
        """Return the points of `axis` and the values there, the other axes held at `others` in order: a polyline.

        Not counted in `outside`.
        """
        at = list(self.axes).index(axis)
        points = self.axes[axis]
        return points, [self._look_up((*others[:at], point, *others[at:]))[0] for point in points]

    def _look_up(self, point: Sequence[float]) -> tuple[float, bool]:
        cell = []
        for points, cells, coordinate in zip(self._points, self._cells, point, strict=True):
            index = bisect_right(points, coordinate) - 1
            cell.append(0 if index < 0 else index if index < cells else cells - 1)
        if self._ragged and not self._complete[tuple(cell)]:
            cell = list(self._complete_at(tuple(cell), point))
        base = 0
        inside = True
        weights = []
        for points, stride, index, coordinate in zip(self._points, self._strides, cell, point, strict=True):
            base += index * stride
            low = points[index]
            high = points[index + 1] if len(points) > 1 else low
            weight = (coordinate - low) / (high - low) if high > low else 0.0
            if not low <= coordinate <= high:
                inside = False
            weights.append(weight)
        if inside:
            return self._blend(base, weights), True
        edge = self._blend(base, [min(max(weight, 0.0), 1.0) for weight in weights])
        if self.beyond == "linear":
            return max(edge, self._blend(base, [max(weight, 0.0) for weight in weights])), False
        return edge * self._scale(cell, point), False

    def _blend(self, base: int, weights: list[float]) -> float:
        flat = self._flat
        values = [flat[base + corner] for corner in self._corners]
        for weight in reversed(weights):
            values = [low + (high - low) * weight for low, high in zip(values[::2], values[1::2], strict=True)]
        return values[0]

    def _scale(self, cell: Sequence[int], point: Sequence[float]) -> float:
        scale = 1.0
        for points, index, coordinate in zip(self._points, cell, point, strict=True):
            high = points[index + 1] if len(points) > 1 else points[0]
            if coordinate > high > 0:
                scale *= coordinate / high
        return scale

    def _complete_cells(self) -> NDArray[np.bool_]:
        measured = np.isfinite(self.values)
        for axis, points in enumerate(self._points):
            if len(points) > 1:
                low, high = (slice(None),) * axis + (slice(None, -1),), (slice(None),) * axis + (slice(1, None),)
                measured = measured[low] & measured[high]
        if not measured.any():
            raise ValueError(f"a grid of {', '.join(self.axes)} must have a cell with all corners measured, got none")
        return measured

    def _complete_at(self, cell: tuple[int, ...], point: Sequence[float]) -> tuple[int, ...]:
        """Return a complete cell beside `cell` that has `point` on its border, else the nearest complete one."""
        beside = [
            (index, index - 1) if index and coordinate == points[index] else (index,)
            for points, index, coordinate in zip(self._points, cell, point, strict=True)
        ]
        return next((found for found in product(*beside) if self._complete[found]), self._nearest_complete(cell))

    def _nearest_complete(self, cell: tuple[int, ...]) -> tuple[int, ...]:
        """Return the complete cell the fewest steps away; of several the first in the order of the axes."""
        found = self._nearest.get(cell)
        if found is None:
            complete = np.argwhere(self._complete)
            steps = np.abs(complete - np.array(cell)).sum(axis=1)
            nearest: list[int] = complete[int(steps.argmin())].tolist()
            found = self._nearest[cell] = tuple(nearest)
        return found


def _require_axes(axes: Mapping[str, Sequence[float]], values: NDArray[np.float64]) -> None:
    if not axes:
        raise ValueError("a grid must have at least one axis, got none")
    for name, points in axes.items():
        if not points or any(low >= high for low, high in pairwise(points)):
            raise ValueError(f"the points of axis {name!r} must ascend and be at least one, got {list(points)}")
    shape = tuple(len(points) for points in axes.values())
    if values.shape != shape:
        raise ValueError(f"the values of a grid of {', '.join(axes)} must have shape {shape}, got {values.shape}")
