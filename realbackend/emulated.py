"""Emulated: a partition of a device that has none: an iteration is measured on all of it, and said to take longer.

By how much is what the cost model says its share is worth. It is said where results come from
(`provenance.real.sm_partition`).
"""

from realbackend.pace import Compute, Pace
from simcore.contract import CostModel, Shape


class EmulatedPartition:
    """A pace that slows iterations on a share of the SMs.

    Args:
        pace: of iterations on the whole device.
        cost: says how many times as long they take on a share.
    """

    def __init__(self, pace: Pace, cost: CostModel) -> None:
        self._pace = pace
        self._line = cost.line

    def timed(self, shape: Shape, compute: Compute) -> int:
        took_ps = self._pace.timed(shape, compute)
        if shape.sm_pct == 100:
            return took_ps
        whole = shape.after(0)
        whole.sm_pct = 100
        return max(1, took_ps * self._line(shape)[0] // self._line(whole)[0])
