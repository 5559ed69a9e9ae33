"""Lengths: how prompt and output token counts are distributed.

Every draw is rounded to the nearest whole token and kept within its bounds (at least one token). A kind draws
whole blocks, so the length of a request does not depend on how many there are.
"""

from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import Protocol, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from simcore.contract.traffic import Column
from traces.draws import BLOCK
from traces.formats.base import MAX_TOKENS
from traces.lognormals import Lognormals
from traces.parameters import Parameters
from traces.quantiles import Quantiles

_MOST_RANKS = 1_000_000


class Lengths(Protocol):
    """A kind of `prompt_tokens` or `output_tokens`. A new one is a class listed in `KINDS`."""

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        """Take its parameters from a study or the catalogue."""

    def draw(self, generator: Generator) -> Column:
        """Return [BLOCK] int64 token counts >= 1."""


@dataclass(frozen=True)
class Fixed:
    """Always `tokens`."""

    tokens: int

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        return cls(parameters.integer("tokens", least=1, most=MAX_TOKENS))

    def draw(self, generator: Generator) -> Column:
        return np.full(BLOCK, self.tokens, np.int64)


@dataclass(frozen=True)
class Uniform:
    """Every whole number from `min` to `max` equally often, both included."""

    min: int
    max: int

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        return cls(*_bounds(parameters, low=None, high=None))

    def draw(self, generator: Generator) -> Column:
        spread = self.max - self.min + 1
        return self.min + (generator.random(BLOCK) * spread).astype(np.int64)


@dataclass(frozen=True)
class LognormalLengths:
    """Lognormal, held within `min` and `max`; a `mean` is the one before they cut."""

    lognormals: Lognormals
    min: int
    max: int

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        return cls(Lognormals.read_one(parameters), *_bounds(parameters))

    def draw(self, generator: Generator) -> Column:
        return _tokens(_exp(self.lognormals.logs(generator)), self.min, self.max)


@dataclass(frozen=True)
class MixtureLengths(LognormalLengths):
    """One of several lognormals, held within `min` and `max`."""

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        return cls(Lognormals.read_mixture(parameters), *_bounds(parameters))


@dataclass(frozen=True)
class QuantileLengths:
    """Token counts with given quantiles."""

    quantiles: Quantiles

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        return cls(Quantiles.read(parameters, "tokens", least=1))

    def draw(self, generator: Generator) -> Column:
        return _tokens(self.quantiles.at(generator.random(BLOCK)), 1, MAX_TOKENS)


@dataclass(frozen=True)
class Zipf:
    """Power law: rank r of 1 to `ranks` comes with probability proportional to r^-alpha; a rank is so many tokens.

    Ranks are scaled to the mean `mean`, rounded up, and held at `max`, which lowers the mean. With 2 * mean - 1 ranks
    and at most 6,144 tokens these are the lengths of Llumnix (github.com/AlibabaPAI/llumnix, commit
    92f6f9d5cbd6eb4f7a6692789042cc21c29b1a03, benchmark_throughput.py).

    scaled: "law" makes the mean that of the law, so a sample's is near it; "sample" that of each 8,192 draws, so that
        all samples are of one load, however heavy the tail: Llumnix scales its 10,000 draws.
    """

    mean: float
    alpha: float
    ranks: int
    max: int
    scaled: str

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        mean = parameters.number("mean", least=1, most=_MOST_RANKS)
        alpha = parameters.number("alpha", least=0, most=20)
        ranks = parameters.integer("ranks", least=1, most=_MOST_RANKS, default=round(2 * mean - 1))
        most = parameters.integer("max", least=1, most=MAX_TOKENS, default=MAX_TOKENS)
        scaled = parameters.choice("scaled", ("law", "sample")) if parameters.has("scaled") else "law"
        return cls(mean, alpha, ranks, most, scaled or "law")

    def draw(self, generator: Generator) -> Column:
        ranks = 1 + np.searchsorted(self._edges, generator.random(BLOCK), side="right")
        unit = self._tokens_per_rank if self.scaled == "law" else self.mean / float(ranks.mean())
        return _tokens(np.ceil(ranks * unit), 1, self.max)

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        weights = np.arange(1, self.ranks + 1, dtype=np.float64) ** -self.alpha
        normal: NDArray[np.float64] = weights / weights.sum()
        return normal

    @cached_property
    def _edges(self) -> NDArray[np.float64]:
        return np.cumsum(self._weights)[:-1]

    @cached_property
    def _tokens_per_rank(self) -> float:
        return self.mean / float(self._weights @ np.arange(1, self.ranks + 1))


KINDS: dict[str, type[Lengths]] = {
    "fixed": Fixed,
    "uniform": Uniform,
    "lognormal": LognormalLengths,
    "mixture": MixtureLengths,
    "quantiles": QuantileLengths,
    "zipf": Zipf,
}


def _exp(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(np.minimum(logs, log(MAX_TOKENS) + 1))


def _tokens(values: NDArray[np.float64], low: int, high: int) -> Column:
    column: Column = np.rint(values.clip(low, high)).astype(np.int64)
    return column


def _bounds(parameters: Parameters, *, low: int | None = 1, high: int | None = MAX_TOKENS) -> tuple[int, int]:
    """Take `min` and `max`; the defaults are `low` and `high`, None if there is none."""
    least = parameters.integer("min", least=1, most=MAX_TOKENS, default=low)
    most = parameters.integer("max", least=1, most=MAX_TOKENS, default=high)
    if most < least:
        parameters.add("max", f"must be >= min ({least}), got {most}")
    return least, most
