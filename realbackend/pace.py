"""Pace: how long an iteration that was really computed is said to take, in virtual time.

Under the model clock the cost model says, and a run takes the very decisions of the simulator. Under the measured clock
it is the time the computation took, one iteration after the other on a device that does nothing else meanwhile.
"""

import time
from collections import deque
from collections.abc import Callable
from statistics import median
from typing import Protocol

from simcore.contract import PS_PER_S, CostModel, Shape

Compute = Callable[[], None]


class Pace(Protocol):
    """Has an iteration computed, and says how long it took."""

    def timed(self, shape: Shape, compute: Compute) -> int:
        """Call `compute`; return picoseconds > 0."""


class ModelPace:
    """What the cost model says."""

    def __init__(self, cost: CostModel) -> None:
        self._line = cost.line

    def timed(self, shape: Shape, compute: Compute) -> int:
        first, _, _ = self._line(shape)
        compute()
        return first


class MeasuredPace:
    """What it took, in seconds of a clock; a machine whose speed drifts is brought back to that of a reference.

    Args:
        clock: seconds: of this thread's CPU, or of a GPU that has finished what it was given.
        probe: a fixed piece of work; None: take the clock as it is.
        every: iterations between two probes.
    """

    def __init__(
        self, clock: Callable[[], float] = time.thread_time, probe: Compute | None = None, every: int = 8
    ) -> None:
        self._clock = clock
        self._probe = probe
        self._every = every
        self._iterations = 0
        self._lately: deque[float] = deque(maxlen=5)
        self.reference_s = 0.0
        """What the probe took at first; 0: it has not been asked yet."""

    def timed(self, shape: Shape, compute: Compute) -> int:
        scale = self._drift()
        took_s = self._measured(compute)
        return max(1, round(took_s * scale * PS_PER_S))

    def _drift(self) -> float:
        """Return how much faster than now the machine was when it was first probed."""
        if self._probe is None:
            return 1.0
        if not self.reference_s:
            self.reference_s = median(self._measured(self._probe) for _ in range(15))
            self._lately.append(self.reference_s)
        if self._iterations % self._every == 0:
            self._lately.append(self._measured(self._probe))
        self._iterations += 1
        return self.reference_s / median(self._lately)

    def _measured(self, compute: Compute) -> float:
        begin = self._clock()
        compute()
        return self._clock() - begin
