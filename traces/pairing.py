"""Pairing: which output length goes with which prompt length, so that long ones meet long ones more often or less."""

from math import pi, sin, sqrt

import numpy as np
from numpy.random import Generator

from simcore.contract.traffic import Column


def paired(tokens: Column, with_: Column, correlation: float, generator: Generator) -> Column:
    """Return the [n] `tokens` in another order, with about this Spearman rank correlation to `with_`.

    Every value stays, so the distribution does. Both sides are put in the order of two normal numbers with the Pearson
    correlation 2 sin(pi / 6 * `correlation`) (Iman and Conover, Communications in Statistics 11(3), 1982). Ties, which
    bring the rank correlation nearer to 0, are broken by position.

    >>> generator = np.random.default_rng(0)
    >>> paired(np.array([30, 10, 20]), np.array([5, 7, 6]), 1.0, generator).tolist()
    [10, 30, 20]
    >>> paired(np.array([30, 10, 20]), np.array([5, 7, 6]), -1.0, generator).tolist()
    [30, 10, 20]
    """
    from scipy.special import ndtri

    n = len(tokens)
    rank = np.empty(n)
    rank[np.argsort(with_, kind="stable")] = np.arange(n)
    shared = 2 * sin(pi / 6 * correlation)
    score = shared * ndtri((rank + 0.5) / n) + sqrt(max(0.0, 1 - shared**2)) * generator.standard_normal(n)
    ordered = np.empty_like(tokens)
    ordered[np.argsort(score, kind="stable")] = np.sort(tokens)
    return ordered
