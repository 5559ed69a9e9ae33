"""Families: how the gaps between a client's requests are distributed, in units of their mean.

Numbers are drawn one after the other, so the first n gaps are the same whatever number is asked for at once.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

LEAST_CV, MOST_CV = 0.001, 100.0
"""Coefficients of variation that a family may have; the public ones reach from 0.005 to 23."""

_NO_SHAPE = 0.05
"""Of a Weibull: below it the coefficient of variation is above 10^5, and soon beyond floats."""


class Family(Protocol):
    """A distribution of gaps with mean 1."""

    @property
    def shape(self) -> float: ...

    @property
    def cv(self) -> float:
        """Standard deviation over mean."""

    def gaps(self, generator: Generator, n: int) -> NDArray[np.float64]:
        """Return [n] float64 gaps >= 0."""

    def first(self, generator: Generator) -> float:
        """Return the time from any moment to the next request, as who arrives by no plan meets it.

        It is uniform within a gap that is chosen with a chance proportional to its length. Started with it, the
        process is stationary: in any time t it has t requests on average, however bursty it is.
        """


@dataclass(frozen=True)
class Gamma:
    """Gamma gaps: shape 1 is Poisson, less is burstier."""

    shape: float

    @property
    def cv(self) -> float:
        return 1 / math.sqrt(self.shape)

    def gaps(self, generator: Generator, n: int) -> NDArray[np.float64]:
        return generator.standard_gamma(self.shape, n) / self.shape

    def first(self, generator: Generator) -> float:
        return generator.random() * generator.standard_gamma(self.shape + 1) / self.shape


@dataclass(frozen=True)
class Weibull:
    """Weibull gaps: shape 1 is Poisson, less is burstier, with a heavier tail than gamma."""

    shape: float

    @property
    def cv(self) -> float:
        if self.shape < _NO_SHAPE:
            return math.inf
        log_ratio = math.lgamma(1 + 2 / self.shape) - 2 * math.lgamma(1 + 1 / self.shape)
        return math.sqrt(max(math.expm1(log_ratio), 0.0))

    @property
    def _mean(self) -> float:
        return math.gamma(1 + 1 / self.shape)

    def gaps(self, generator: Generator, n: int) -> NDArray[np.float64]:
        return generator.weibull(self.shape, n) / self._mean

    def first(self, generator: Generator) -> float:
        long_gap = generator.standard_gamma(1 + 1 / self.shape) ** (1 / self.shape)
        return generator.random() * float(long_gap) / self._mean


FAMILIES: dict[str, type[Gamma] | type[Weibull]] = {"Gamma": Gamma, "Weibull": Weibull}
"""By the names that ServeGen's files use."""
