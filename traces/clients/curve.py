"""Curve: how the rate goes up and down over a day, in steps; the next day is the same again.

Requests are drawn on a busy clock, on which the rate never changes; the curve tells the time at which that clock
shows a moment. So other rates over the day are the same requests at other times.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simcore.contract.traffic import Column
from simcore.contract.units import PS_PER_S
from traces.parameters import Parameters

_DAY_S = 86_400


@dataclass(frozen=True)
class Curve:
    """rates: of equal parts of a day of `day_s` seconds, relative to each other; all the same: no curve.

    >>> Curve((3.0, 1.0), day_s=40).picoseconds(np.array([15, 30, 40, 55]) * 10**12) // 10**12
    array([10, 20, 40, 50])
    """

    rates: tuple[float, ...] = (1.0,)
    day_s: float = _DAY_S

    @classmethod
    def read(cls, parameters: Parameters, /) -> "Curve":
        """Take `rates` and `day_s`."""
        rates = parameters.numbers("rates", least=0)
        if rates and not sum(rates):
            parameters.add("rates", "must not all be 0")
        day_s = parameters.positive("day_s") if parameters.has("day_s") else _DAY_S
        return cls(rates or (1.0,), day_s)

    def picoseconds(self, busy_ps: Column) -> Column:
        """Return [n] int64 times at which the busy clock shows `busy_ps`, non-decreasing where those are."""
        if len(set(self.rates)) == 1:
            return busy_ps
        passes, rest_ps = np.divmod(busy_ps, self._day_ps)
        starts_ps, ends_ps, busy_starts_ps, speeds = self._parts
        part = np.searchsorted(busy_starts_ps, rest_ps, side="right") - 1
        within_ps = (rest_ps - busy_starts_ps[part]) / speeds[part]
        at_ps = np.minimum(starts_ps[part] + within_ps, ends_ps[part])
        found: Column = passes * self._day_ps + np.rint(at_ps).astype(np.int64)
        return found

    @property
    def _day_ps(self) -> int:
        return round(self.day_s * PS_PER_S)

    @cached_property
    def _parts(self) -> tuple[NDArray[np.float64], ...]:
        """Start and end of the parts in which anything is sent, their start on the busy clock, its speed in them."""
        edges_ps = np.linspace(0, self._day_ps, len(self.rates) + 1)
        speeds = np.array(self.rates) / np.mean(self.rates)
        busy_ps = np.concatenate(([0.0], np.cumsum(speeds * np.diff(edges_ps))))[:-1]
        sending = speeds > 0
        return edges_ps[:-1][sending], edges_ps[1:][sending], busy_ps[sending], speeds[sending]
