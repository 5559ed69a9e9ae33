"""Renewal: a client that sends with independent gaps of one family, and its requests up to any moment."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from simcore.contract.traffic import Column
from traces.clients.families import Family

Times = NDArray[np.float64]
Draw = Callable[[int], tuple[Column, Column]]
"""Prompt and output tokens of the next n requests."""

_MORE = 16
_MOST_AT_ONCE = 1 << 16


class Renewal:
    """A stationary renewal process, in units of the mean gap. What is drawn at once changes nothing."""

    def __init__(self, family: Family, generator: Generator) -> None:
        self._family = family
        self._generator = generator
        self._ahead = np.array([family.first(generator)])
        """Times not taken yet, the last of them beyond all that were asked for."""

    def until(self, end: float) -> Times:
        """Return the times before `end` that were not taken yet."""
        ready = [self._ahead]
        while (last := ready[-1][-1]) < end:
            n = min(int(end - last) + _MORE, _MOST_AT_ONCE)
            gaps = self._family.gaps(self._generator, n)
            ready.append(np.cumsum(np.concatenate(([last], gaps)))[1:])
        known = np.concatenate(ready) if len(ready) > 1 else ready[0]
        cut = int(np.searchsorted(known, end, side="left"))
        self._ahead = known[cut:]
        return known[:cut]


class Flow:
    """A client's requests while its rate, family and lengths stay what they are."""

    def __init__(self, client: int, per_s: float, renewal: Renewal, draw: Draw) -> None:
        self.client = client
        self.per_s = per_s
        self._renewal = renewal
        self._draw = draw

    def times(self, end_s: float) -> Times:
        """Return the times, in seconds since the start of the flow, of the requests before `end_s` not taken yet."""
        return self._renewal.until(end_s * self.per_s) / self.per_s

    def lengths(self, n: int) -> tuple[Column, Column]:
        """Return [n] prompt and [n] output tokens of the next requests."""
        return self._draw(n)
