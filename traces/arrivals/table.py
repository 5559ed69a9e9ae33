"""Table: gaps with given quantiles, independent, or correlated so that short ones follow short ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from traces.arrivals.process import Gaps, Steady
from traces.draws import BLOCK
from traces.parameters import Parameters
from traces.quantiles import Quantiles


@dataclass(frozen=True)
class QuantileGaps(Steady):
    """Gaps with given quantiles, divided by their mean.

    With a `correlation` they come in runs of `run` gaps on average (geometric). Each gap is read off the table at the
    distribution function of a normal number, of which the run's part has variance `correlation`, its own the rest. So
    the table is kept exactly, and normal scores of gaps k apart have the correlation `correlation` * (1 - 1 / run)^k.
    """

    quantiles: Quantiles
    correlation: float = 0.0
    run: float = 1.0
    has_rate = True

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        quantiles = Quantiles.read(parameters, "gaps", least=0)
        if quantiles.mean == 0:
            parameters.add("gaps", "must not all be 0")
        correlation = parameters.number("correlation", least=0, most=1, default=0.0)
        run = parameters.number("run", least=1, most=1e9, default=1.0)
        if correlation and run == 1:
            parameters.add("run", "must be above 1 where gaps are correlated, got 1")
        return cls(quantiles, correlation, run)

    def gaps(self, generators: Iterator[Generator]) -> Iterator[Gaps]:
        uniforms = self._correlated(generators) if self.correlation else (each.random(BLOCK) for each in generators)
        for block in uniforms:
            yield self.quantiles.at(block) / self.quantiles.mean

    def _correlated(self, generators: Iterator[Generator]) -> Iterator[NDArray[np.float64]]:
        from scipy.special import ndtr

        last: float | None = None
        for generator in generators:
            if last is None:
                last = float(generator.standard_normal())
            of_runs = np.concatenate(([last], generator.standard_normal(BLOCK)))
            run = np.cumsum(generator.random(BLOCK) < 1 / self.run)
            shared, own = of_runs[run], generator.standard_normal(BLOCK)
            last = float(shared[-1])
            yield ndtr(sqrt(self.correlation) * shared + sqrt(1 - self.correlation) * own)
