"""Quantiles: a distribution given by a table, linear between its points."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from traces.parameters import Parameters


@dataclass(frozen=True)
class Quantiles:
    """The inverse distribution function through (probability, value) points, from probability 0 to 1.

    >>> table = Quantiles((0.0, 0.5, 1.0), (10.0, 20.0, 100.0))
    >>> table.mean, table.at(np.array([0.25, 0.75])).tolist()
    (37.5, [15.0, 60.0])
    """

    probabilities: tuple[float, ...]
    values: tuple[float, ...]

    @classmethod
    def read(cls, parameters: Parameters, key: str, *, least: float) -> "Quantiles":
        """Take `probabilities` and the values at `key` (each >= `least`, never falling)."""
        probabilities = parameters.numbers("probabilities", least=0)
        values = parameters.numbers(key, least=least)
        if probabilities:
            rising = all(low < high for low, high in pairwise(probabilities))
            if not rising or probabilities[0] != 0 or probabilities[-1] != 1:
                parameters.add("probabilities", f"must rise from 0 to 1, got {_ends(probabilities)}")
        if values and any(low > high for low, high in pairwise(values)):
            parameters.add(key, f"must never fall, got {_ends(values)}")
        if probabilities and values and len(probabilities) != len(values):
            parameters.add(key, f"must be as many as probabilities ({len(probabilities)}), got {len(values)}")
        return cls(probabilities, values)

    @cached_property
    def mean(self) -> float:
        """The mean of the distribution."""
        if len(self.probabilities) != len(self.values):
            return float("nan")
        middles = (np.array(self.values[1:]) + np.array(self.values[:-1])) / 2
        return float(np.diff(self.probabilities) @ middles)

    def at(self, uniforms: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values at the given probabilities."""
        return np.interp(uniforms, self.probabilities, self.values)


def _ends(values: tuple[float, ...]) -> str:
    shown = [f"{value:g}" for value in values]
    return ", ".join(shown if len(shown) <= 6 else [*shown[:3], "...", *shown[-2:]])
