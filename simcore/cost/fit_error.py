"""Fit error: how far predicted durations of iterations are off, over all of them and by kind of iteration."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]

_BATCHES = ((1, 1), (2, 3), (4, 7), (8, 15), (16, 31), (32, 63), (64, 1 << 62))


@dataclass(frozen=True, slots=True)
class FitError:
    """Relative errors of iterations: predicted over measured, less 1.

    median, p90, worst: of their sizes. bias: the median with its sign. total: of the sum of all durations.
    """

    iterations: int
    median: float
    p90: float
    worst: float
    bias: float
    total: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def error_of(predicted: Seconds, measured: Seconds) -> FitError:
    """Return how far `predicted` [n >= 1] is off `measured` [n]."""
    relative = predicted / measured - 1
    sizes = np.abs(relative)
    return FitError(
        iterations=len(sizes),
        median=float(np.median(sizes)),
        p90=float(np.percentile(sizes, 90)),
        worst=float(sizes.max()),
        bias=float(np.median(relative)),
        total=float(predicted.sum() / measured.sum() - 1),
    )


def by_regime(
    predicted: Seconds, measured: Seconds, decodes: NDArray[np.int64], chunks: NDArray[np.int64]
) -> Mapping[str, FitError]:
    """Return the error of each kind of iteration that there is: decodes alone by batch size, and with prefill chunks.

    decodes, chunks: [n], how many are in each iteration.
    """
    found = {}
    for least, most in _BATCHES:
        name = f"{least} decode" if most == 1 else f"{least}+ decodes" if most > 1000 else f"{least}-{most} decodes"
        found[name] = (chunks == 0) & (decodes >= least) & (decodes <= most)
    found["prefill"] = (chunks > 0) & (decodes == 0)
    found["mixed"] = (chunks > 0) & (decodes > 0)
    return {name: error_of(predicted[kind], measured[kind]) for name, kind in found.items() if kind.any()}
