"""Lognormals: the logarithms of a lognormal or of a mixture of them, drawn for lengths and for durations."""

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from traces.draws import BLOCK
from traces.parameters import Parameters


@dataclass(frozen=True)
class Lognormals:
    """Parts normal(`mu`, `sigma`) in natural logs, chosen with `weights` (their sum is scaled to 1)."""

    weights: tuple[float, ...]
    mu: tuple[float, ...]
    sigma: tuple[float, ...]

    @classmethod
    def read_one(cls, parameters: Parameters) -> "Lognormals":
        """Take `sigma`, and `mu` or `mean`, which is exp(mu + sigma^2 / 2)."""
        sigma = parameters.number("sigma", least=0, most=100)
        by_mean, by_mu = parameters.has("mean"), parameters.has("mu")
        if by_mean == by_mu:
            parameters.add("mean", f"give either mean or mu, got {'both' if by_mu else 'neither'}")
        mu = parameters.number("mu") if by_mu else 0.0
        if by_mean:
            mu = log(parameters.positive("mean")) - sigma**2 / 2
        return cls((1.0,), (mu,), (sigma,))

    @classmethod
    def read_mixture(cls, parameters: Parameters) -> "Lognormals":
        """Take the lists `weights`, `mu` and `sigma`."""
        weights = parameters.numbers("weights", least=0)
        mu, sigma = parameters.numbers("mu"), parameters.numbers("sigma", least=0)
        if weights and not 0.98 <= sum(weights) <= 1.02:
            parameters.add("weights", f"must sum to 1, got {sum(weights):g}")
        for key, values in (("mu", mu), ("sigma", sigma)):
            if weights and values and len(values) != len(weights):
                parameters.add(key, f"must be as many as weights ({len(weights)}), got {len(values)}")
        return cls(weights, mu, sigma)

    def logs(self, generator: Generator) -> NDArray[np.float64]:
        """Return [BLOCK] float64 natural logarithms of draws."""
        if len(self.weights) == 1:
            return self.mu[0] + self.sigma[0] * generator.standard_normal(BLOCK)
        bounds = np.cumsum(self.weights)
        part = np.searchsorted(bounds[:-1] / bounds[-1], generator.random(BLOCK), side="right")
        normal = generator.standard_normal(BLOCK)
        drawn: NDArray[np.float64] = np.array(self.mu)[part] + np.array(self.sigma)[part] * normal
        return drawn
