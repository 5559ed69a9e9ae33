"""Pace: how long an iteration that was really computed is said to take, in virtual time.

Under the model clock the cost model says, so a run takes the very decisions of the simulator.
"""

from collections.abc import Callable
from typing import Protocol

from simcore.contract import CostModel, Shape

Compute = Callable[[], None]


class Pace(Protocol):
    """Has an iteration computed, and says how long it took."""

    def timed(self, instance: int, shape: Shape, compute: Compute) -> int:
        """Call `compute`; return picoseconds > 0."""


class ModelPace:
    """What the cost model says."""

    def __init__(self, cost: CostModel) -> None:
        self._line = cost.line

    def timed(self, instance: int, shape: Shape, compute: Compute) -> int:
        first, _, _ = self._line(shape)
        compute()
        return first
