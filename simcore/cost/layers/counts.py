"""Counts: what kernels take by tokens or by sequences, all layers together, with what was asked outside the profile."""

from bisect import bisect_left
from collections.abc import Mapping

from simcore.contract import to_ps
from simcore.cost.layers.tables import Curve


class Reading:
    """A curve between and beyond its points.

    stairs: between two points it takes what it takes at the larger one: a kernel works in tiles of tokens. Else the
    value lies on the straight line between them. Beyond the last point it grows as the count does.

    >>> import numpy as np
    >>> curve = Curve(np.array([8.0, 16.0]), np.array([10.0, 14.0]))
    >>> Reading(curve, stairs=True).us(9), Reading(curve, stairs=False).us(9), Reading(curve, stairs=True).us(32)
    (14.0, 10.5, 28.0)
    """

    def __init__(self, curve: Curve, *, stairs: bool) -> None:
        self._counts: list[float] = curve.counts.tolist()
        self._us: list[float] = curve.us.tolist()
        self._stairs = stairs

    @property
    def last(self) -> float:
        """The largest count measured."""
        return self._counts[-1]

    def us(self, count: int) -> float:
        counts, us = self._counts, self._us
        i = bisect_left(counts, count)
        if i == len(counts):
            return us[-1] * count / counts[-1]
        if self._stairs or not i or counts[i] == count:
            return us[i]
        low, high = counts[i - 1], counts[i]
        return us[i - 1] + (us[i] - us[i - 1]) * (count - low) / (high - low)


class MeasuredLayers:
    """A term of layers by a count: each layer's time, times how many of it there are.

    outside: counts asked for, each once, that are larger than any measured.
    """

    def __init__(self, name: str, curves: Mapping[str, Curve], times: Mapping[str, int], *, stairs: bool) -> None:
        self.name = name
        self.outside = 0
        self._readings = [(times[layer], Reading(curve, stairs=stairs)) for layer, curve in curves.items()]
        self._last = min(reading.last for _, reading in self._readings)

    def ps(self, count: int, sm_pct: int) -> int:
        require_all_sms(sm_pct)
        if not count:
            return 0
        if count > self._last:
            self.outside += 1
        return to_ps(sum(times * reading.us(count) for times, reading in self._readings) / 1e6)


def require_all_sms(sm_pct: int) -> None:
    """Raise ValueError for a share of the SMs: the profile was measured on all of them."""
    if sm_pct != 100:
        raise ValueError(f"a profile of layers knows all SMs only: sm_pct must be 100, got {sm_pct}")
