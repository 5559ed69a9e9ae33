"""Arrivals: how the gaps between requests are distributed, in units of their mean.

A kind yields gaps block by block, each from that block's generator, and may carry state from block to block.
The rate only scales them: the same seed at twice the rate is the same traffic in half the time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from simcore.contract.traffic import Column
from simcore.contract.units import PS_PER_S
from traces.draws import BLOCK
from traces.parameters import Parameters
from traces.quantiles import Quantiles

Gaps = NDArray[np.float64]

NEVER_PS = 2**63 - 2**11
"""An instant the clock cannot hold, 106 days on, and every one after it."""


class ArrivalProcess(Protocol):
    """A kind of `arrivals`. A new one is a class listed in `KINDS`."""

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        """Take its parameters from a study or the catalogue."""

    @property
    def has_rate(self) -> bool:
        """Whether requests are spread over time."""

    def gaps(self, generators: Iterator[Generator]) -> Iterator[Gaps]:
        """Yield [BLOCK] float64 gaps >= 0 with mean 1 for each generator."""


@dataclass(frozen=True)
class Poisson:
    """Independent users: exponential gaps (Generator.standard_exponential)."""

    has_rate = True

    @classmethod
    def read(cls, _: Parameters, /) -> Self:
        return cls()

    def gaps(self, generators: Iterator[Generator]) -> Iterator[Gaps]:
        for generator in generators:
            yield generator.standard_exponential(BLOCK)


@dataclass(frozen=True)
class Gamma:
    """Gamma gaps with coefficient of variation `cv`: 1 is Poisson, more is burstier, less is more regular."""

    cv: float
    has_rate = True

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        return cls(parameters.number("cv", least=0.01, most=100))

    def gaps(self, generators: Iterator[Generator]) -> Iterator[Gaps]:
        shape = self.cv**-2
        for generator in generators:
            yield generator.standard_gamma(shape, BLOCK) / shape


@dataclass(frozen=True)
class Constant:
    """Equal gaps."""

    has_rate = True

    @classmethod
    def read(cls, _: Parameters, /) -> Self:
        return cls()

    def gaps(self, generators: Iterator[Generator]) -> Iterator[Gaps]:
        while True:
            yield np.ones(BLOCK)


@dataclass(frozen=True)
class AllAtOnce:
    """Every request at time 0, as in offline inference and rollouts."""

    has_rate = False

    @classmethod
    def read(cls, _: Parameters, /) -> Self:
        return cls()

    def gaps(self, generators: Iterator[Generator]) -> Iterator[Gaps]:
        while True:
            yield np.zeros(BLOCK)


@dataclass(frozen=True)
class QuantileGaps:
    """Independent gaps with given quantiles, divided by their mean. Correlation between gaps is not kept."""

    quantiles: Quantiles
    has_rate = True

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        quantiles = Quantiles.read(parameters, "gaps", least=0)
        if quantiles.mean == 0:
            parameters.add("gaps", "must not all be 0")
        return cls(quantiles)

    def gaps(self, generators: Iterator[Generator]) -> Iterator[Gaps]:
        mean = self.quantiles.mean
        for generator in generators:
            yield self.quantiles.at(generator.random(BLOCK)) / mean


KINDS: dict[str, type[ArrivalProcess]] = {
    "poisson": Poisson,
    "gamma": Gamma,
    "constant": Constant,
    "all_at_once": AllAtOnce,
    "quantiles": QuantileGaps,
}


def instants(process: ArrivalProcess, rate: float, generators: Iterator[Generator]) -> Iterator[Column]:
    """Yield [BLOCK] int64 arrival times in picoseconds for each generator; the first is 0, gap i lies before time i.

    rate: mean arrivals per second, infinite when all come at once. Times out of range are `NEVER_PS`.
    """
    ps_per_gap = PS_PER_S / rate
    now = None
    for gaps in process.gaps(generators):
        times = np.cumsum(gaps) + (-gaps[0] if now is None else now)
        now = times[-1]
        yield np.rint(np.minimum(times * ps_per_gap, NEVER_PS)).astype(np.int64)
