"""Renewal: gaps that are drawn alike, at a rate that does not vary; by default each independently of the others."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import gamma
from typing import Self

import numpy as np
from numpy.random import Generator

from traces.arrivals.process import ArrivalProcess, Gaps, Steady
from traces.arrivals.table import QuantileGaps
from traces.draws import BLOCK
from traces.kinds import read_kind
from traces.parameters import Parameters


@dataclass(frozen=True)
class Poisson(Steady):
    """Independent users: exponential gaps (Generator.standard_exponential)."""

    has_rate = True

    @classmethod
    def read(cls, _: Parameters, /) -> Self:
        return cls()

    def gaps(self, generators: Iterator[Generator]) -> Iterator[Gaps]:
        for generator in generators:
            yield generator.standard_exponential(BLOCK)


@dataclass(frozen=True)
class Gamma(Steady):
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
class Weibull(Steady):
    """Weibull gaps: `shape` 1 is Poisson, less is burstier; variance + 1 is G(1 + 2 / shape) / G(1 + 1 / shape)^2."""

    shape: float
    has_rate = True

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        return cls(parameters.number("shape", least=0.1, most=100))

    def gaps(self, generators: Iterator[Generator]) -> Iterator[Gaps]:
        mean = gamma(1 + 1 / self.shape)
        for generator in generators:
            yield generator.weibull(self.shape, BLOCK) / mean


@dataclass(frozen=True)
class Constant(Steady):
    """Equal gaps."""

    has_rate = True

    @classmethod
    def read(cls, _: Parameters, /) -> Self:
        return cls()

    def gaps(self, generators: Iterator[Generator]) -> Iterator[Gaps]:
        while True:
            yield np.ones(BLOCK)


@dataclass(frozen=True)
class AllAtOnce(Steady):
    """Every request at time 0, as in offline inference and rollouts."""

    has_rate = False

    @classmethod
    def read(cls, _: Parameters, /) -> Self:
        return cls()

    def gaps(self, generators: Iterator[Generator]) -> Iterator[Gaps]:
        while True:
            yield np.zeros(BLOCK)


RENEWAL: dict[str, type[ArrivalProcess]] = {
    "poisson": Poisson,
    "gamma": Gamma,
    "weibull": Weibull,
    "constant": Constant,
    "quantiles": QuantileGaps,
}


def read_gaps(parameters: Parameters) -> ArrivalProcess:
    """Take `gaps`, the process on the steady clock of one whose rate varies: Poisson if it is left out."""
    given = parameters.raw("gaps")
    if given is None:
        return Poisson()
    return read_kind(f"{parameters.where}.gaps", given, RENEWAL, parameters.problems) or Poisson()
