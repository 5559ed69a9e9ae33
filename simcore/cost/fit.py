"""Fit: the numbers of `Fitted` from an iteration log, by non-negative least squares of errors relative to what is said.

A log is what a run leaves with `iterations` on. Every fifth iteration stays out of the fit, and says how good it is.

Errors relative to what was *measured* would count short iterations as much as long ones too, and be wrong: where
measurements spread by s, the fit then lies 2 s^2 too low, as an iteration that happened to be fast weighs more. At the
18% of a shared machine that is 6.5%, of every iteration, and of TPOT. Errors relative to the *prediction* have no such
bias: over the iterations that were fitted the mean of measured over predicted is 1.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simcore.contract import PS_PER_S
from simcore.cost.fit_error import FitError, error_of
from simcore.cost.fitted import COUNTED, Terms, features

Row = tuple[int, int, Sequence[int], Sequence[int], int]
"""Decodes, their context, new tokens and tokens before of each chunk, picoseconds."""

_HELD_OUT = 5
_FEWEST = 50
_FEWEST_AT_A_POINT = 16
_ROUNDS = 20
_GRID = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096, 8192, 16384)


@dataclass(frozen=True, slots=True)
class Observed:
    """Iterations: what is in them, and what they took.

    tokens: [n] int64. counts: [n, 4] float64, how often each of `COUNTED` is in them. seconds: [n] float64.
    """

    tokens: NDArray[np.int64]
    counts: NDArray[np.float64]
    seconds: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.seconds)

    def where(self, chosen: NDArray[np.bool_]) -> "Observed":
        return Observed(self.tokens[chosen], self.counts[chosen], self.seconds[chosen])

    def __add__(self, other: "Observed") -> "Observed":
        return Observed(
            np.concatenate([self.tokens, other.tokens]),
            np.concatenate([self.counts, other.counts]),
            np.concatenate([self.seconds, other.seconds]),
        )


def observed(rows: Iterable[Row]) -> Observed:
    """Return iterations as arrays."""
    tokens, counts, seconds = [], [], []
    for decodes, context, new, before, took_ps in rows:
        count, others = features(decodes, context, list(zip(new, before, strict=True)))
        tokens.append(count)
        counts.append(others)
        seconds.append(took_ps / PS_PER_S)
    shaped = np.array(counts, dtype=np.float64).reshape(-1, len(COUNTED))
    return Observed(np.array(tokens, dtype=np.int64), shaped, np.array(seconds, dtype=np.float64))


def fit(log: Observed) -> tuple[Terms, FitError]:
    """Return the terms, and their error on every fifth iteration, which is left out. Raises TooFewIterations."""
    check_enough(log)
    out = np.arange(len(log)) % _HELD_OUT == _HELD_OUT - 1
    terms = terms_of(log.where(~out))
    return terms, error(terms, log.where(out))


class TooFewIterations(ValueError):
    """A log too short to fit."""


def check_enough(log: Observed) -> None:
    """Raise TooFewIterations if a fit to this log would say little."""
    if len(log) < _FEWEST:
        raise TooFewIterations(f"an iteration log must have at least {_FEWEST} iterations to fit, got {len(log)}")


def error(terms: Terms, log: Observed) -> FitError:
    """Return how far the terms are off on iterations."""
    return error_of(predicted(terms, log), log.seconds)


def predicted(terms: Terms, log: Observed) -> NDArray[np.float64]:
    """Return the seconds [n] that the terms say of iterations."""
    curve = np.array([terms.by_tokens(count) for count in log.tokens.tolist()], dtype=np.float64)
    prices = np.array([getattr(terms, name) for name in COUNTED], dtype=np.float64)
    return (curve + log.counts @ prices) / PS_PER_S


def terms_of(log: Observed) -> Terms:
    """Return the terms that fit all iterations of a log best."""
    points = _points(log.tokens)
    curve = [np.interp(log.tokens, points, unit) for unit in np.eye(len(points))]
    features = np.column_stack([*curve, log.counts])
    found = _non_negative(features, log.seconds)
    numbers = [round(value * PS_PER_S) for value in found.tolist()]
    tokens = tuple(zip(points, numbers[: len(points)], strict=True))
    return Terms(tokens, **dict(zip(COUNTED, numbers[len(points) :], strict=True)))


def _points(tokens: NDArray[np.int64]) -> list[int]:
    """Return where the curve has its points: those of the grid in between which enough iterations lie."""
    least, most = int(tokens.min()), int(tokens.max())
    points = [least, *(point for point in _GRID if least < point < most), *([most] if most > least else [])]
    while len(points) > 2:
        support = [float(np.interp(tokens, points, unit).sum()) for unit in np.eye(len(points))]
        weakest = min(range(1, len(points) - 1), key=support.__getitem__)
        if support[weakest] >= _FEWEST_AT_A_POINT:
            break
        del points[weakest]
    return points


def _non_negative(features: NDArray[np.float64], seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minimise the squares of errors relative to the prediction: weights follow the solution until it stands."""
    from scipy.optimize import nnls

    scale = np.where(features.max(axis=0) > 0, features.max(axis=0), 1.0)  # else a pair and a step differ by 10^9
    scaled = features / scale
    weights = 1 / seconds
    found = np.zeros(features.shape[1])
    for _ in range(_ROUNDS):
        before = found
        found, _ = nnls(scaled * weights[:, None], seconds * weights)
        if np.allclose(found, before, rtol=1e-9, atol=0):
            break
        weights = 1 / np.maximum(scaled @ found, 1e-3 * seconds)
    return found / scale
