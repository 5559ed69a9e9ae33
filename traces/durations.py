"""Durations: how think and tool times are distributed; parameters in seconds, draws in whole picoseconds.

Every draw is kept between 0 and `MAX_S`. A kind draws whole blocks, as lengths do.
"""

from dataclasses import dataclass
from math import log
from typing import Protocol, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from simcore.contract.traffic import Column
from simcore.contract.units import PS_PER_S
from traces.draws import BLOCK
from traces.lognormals import Lognormals
from traces.parameters import Parameters

MAX_S = 4_000_000
"""46 days, half of what 63 bits of picoseconds hold: a wait begins within the other half."""


class Durations(Protocol):
    """A kind of `think_s` or `tool_s`. A new one is a class listed in `KINDS`."""

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        """Take its parameters from a study or the catalogue."""

    def draw(self, generator: Generator) -> Column:
        """Return [BLOCK] int64 picoseconds >= 0."""


@dataclass(frozen=True)
class Fixed:
    """Always `seconds`."""

    seconds: float

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        return cls(parameters.number("seconds", least=0, most=MAX_S))

    def draw(self, generator: Generator) -> Column:
        return picoseconds(np.full(BLOCK, self.seconds))


@dataclass(frozen=True)
class Exponential:
    """Exponential with a `mean`."""

    mean: float

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        return cls(parameters.positive("mean", most=MAX_S))

    def draw(self, generator: Generator) -> Column:
        return picoseconds(generator.standard_exponential(BLOCK) * self.mean)


@dataclass(frozen=True)
class Gamma:
    """Gamma with a `mean` and a coefficient of variation `cv`: 1 is exponential."""

    mean: float
    cv: float

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        return cls(parameters.positive("mean", most=MAX_S), parameters.number("cv", least=0.01, most=100))

    def draw(self, generator: Generator) -> Column:
        shape = self.cv**-2
        return picoseconds(generator.standard_gamma(shape, BLOCK) * (self.mean / shape))


@dataclass(frozen=True)
class LognormalDurations:
    """Lognormal, held within `min` and `max`; a `mean` is the one before they cut."""

    lognormals: Lognormals
    min: float
    max: float

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        return cls(Lognormals.read_one(parameters), *_bounds(parameters))

    def draw(self, generator: Generator) -> Column:
        seconds = np.exp(np.minimum(self.lognormals.logs(generator), log(MAX_S) + 1))
        return picoseconds(seconds.clip(self.min, self.max))


@dataclass(frozen=True)
class MixtureDurations(LognormalDurations):
    """One of several lognormals, such as the quick and the slow calls of a tool, held within `min` and `max`."""

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        return cls(Lognormals.read_mixture(parameters), *_bounds(parameters))


KINDS: dict[str, type[Durations]] = {
    "fixed": Fixed,
    "exponential": Exponential,
    "lognormal": LognormalDurations,
    "mixture": MixtureDurations,
    "gamma": Gamma,
}


def picoseconds(seconds: NDArray[np.float64]) -> Column:
    """Return [n] int64 picoseconds, kept between 0 and `MAX_S`."""
    column: Column = np.rint(seconds.clip(0, MAX_S) * PS_PER_S).astype(np.int64)
    return column


def _bounds(parameters: Parameters) -> tuple[float, float]:
    least = parameters.number("min", least=0, most=MAX_S, default=0.0)
    most = parameters.number("max", least=0, most=MAX_S, default=float(MAX_S))
    if most < least:
        parameters.add("max", f"must be >= min ({least:g}), got {most:g}")
    return least, most
