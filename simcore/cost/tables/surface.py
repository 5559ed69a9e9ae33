"""Surface: the function a table stands for, between its points and beyond them."""

from typing import Protocol

import numpy as np

from simcore.cost.tables.grid import Beyond, Grid
from simcore.cost.tables.table import Table, Values

_BEYOND: dict[str, Beyond] = {"gemm": "proportional"}
"""A product beyond the table is scaled with its size; everything else goes on as its last cell does."""


class Surface(Protocol):
    """Seconds at any point; look-ups outside the measured cells are counted."""

    @property
    def outside(self) -> int: ...

    def at(self, *point: float) -> float: ...

    def inside(self, *point: float) -> bool: ...


class Causal:
    """Prefill attention over (heads, batch, tokens): a part in pairs of tokens, known, and the rest, linear.

    Each token attends to those before it, so a prefill grows with its square and a straight line from one doubling to
    the next lies up to 12% above it. The price of a pair is what the tenth of the points with most pairs take for one.
    """

    def __init__(self, table: Table) -> None:
        points, seconds = table.points()
        pairs = points[:, 0] * points[:, 1] * _pairs(points[:, 2])
        most = pairs >= np.quantile(pairs, 0.9)
        self.pair_s = float(np.median(seconds[most] / pairs[most]))
        heads, batch, tokens = np.meshgrid(*table.axes.values(), indexing="ij")
        self._rest = Grid(table.axes, table.seconds - self.pair_s * heads * batch * _pairs(tokens))

    @property
    def outside(self) -> int:
        return self._rest.outside

    def at(self, *point: float) -> float:
        heads, batch, tokens = point
        # Beyond the table the rest may go on below nothing; a prefill never does.
        return max(0.0, self.pair_s * heads * batch * tokens * (tokens + 1) / 2 + self._rest.at(*point))

    def inside(self, *point: float) -> bool:
        return self._rest.inside(*point)


def surface(table: Table) -> Surface:
    """Return the function of a table. Raises ValueError when no cell of it is complete."""
    return Causal(table) if table.term == "prefill_attention" else linear(table)


def linear(table: Table) -> Grid:
    """Return the function of a table, linear in all its axes. Raises ValueError when no cell of it is complete."""
    return Grid(table.axes, table.seconds, beyond=_BEYOND.get(table.term, "linear"))


def _pairs(tokens: Values) -> Values:
    pairs: Values = tokens * (tokens + 1) / 2
    return pairs
