"""Warp: from a clock on which arrivals have a constant rate to one on which their rate varies (a time change).

Where the relative rate is m(t), what lies at s on the steady clock lies at the t where m from 0 to t has integral s. Of
Poisson arrivals this gives exactly those of rate m(t): a Cox process, if m is random. Other gaps keep their shape on
the steady clock (Gerhardt and Nelson, "Transforming renewal processes for simulation of nonstationary arrival
processes", INFORMS Journal on Computing 21(4), 2009: the inversion method).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]
Steps = NDArray[np.float64]
"""[m, 2]: how long a step lasts in seconds, and the rate in it relative to the mean rate."""


class Warp:
    """The time change of a rate that is constant within steps.

    >>> warp = Warp(iter([np.array([[2.0, 0.5], [1.0, 0.0], [1.0, 4.0]])]))
    >>> warp.seconds(np.array([0.0, 0.5])).tolist(), warp.seconds(np.array([2.0, 3.0])).tolist()
    ([0.0, 1.0], [3.25, 3.5])
    """

    def __init__(self, steps: Iterator[Steps]) -> None:
        self._steps = steps
        self._steady_s = np.zeros(1)
        self._at_s = np.zeros(1)

    def seconds(self, steady_s: Seconds) -> Seconds:
        """Return [n] seconds of [n] seconds on the steady clock; both never fall, also from call to call."""
        while self._steady_s[-1] <= steady_s[-1]:
            self._extend(next(self._steps))
        at_s = np.interp(steady_s, self._steady_s, self._at_s)
        # Rounding may set one just before the end of a step behind one just after it.
        at_s = np.maximum.accumulate(np.maximum(at_s, self._at_s[0]))
        behind = int(np.searchsorted(self._steady_s, steady_s[-1], side="right"))
        self._steady_s = np.concatenate(([steady_s[-1]], self._steady_s[behind:]))
        self._at_s = np.concatenate(([at_s[-1]], self._at_s[behind:]))
        return at_s

    def _extend(self, steps: Steps) -> None:
        lasting_s, relative_rate = steps.T
        steady_s = self._steady_s[-1] + np.cumsum(lasting_s * relative_rate)
        self._steady_s = np.concatenate((self._steady_s, steady_s))
        self._at_s = np.concatenate((self._at_s, self._at_s[-1] + np.cumsum(lasting_s)))
