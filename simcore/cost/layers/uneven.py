"""Uneven: what batches take whose decodes have histories of different lengths, beyond an even batch with their mean.

Of the histories the simulator knows the sum and the longest, so each correction is one of mean and longest. Three were
measured, for three kinds of batches, and each can be switched off: `Alphas` and `LongestAlone` for decodes alone,
`Ratios` beside prefill.
"""

from bisect import bisect_left

import numpy as np

from simcore.contract import UNBOUNDED
from simcore.cost.layers.nested import Nested
from simcore.cost.layers.tables import Alphas, Uneven

_DECIDES = 1.1
"""One long request among short ones makes a batch take this much longer than the even one, where it decides alone."""
_SCALE = 10_000


class AlphaBuckets:
    """How far decodes alone lie between even at their mean, and even at their longest: a constant for each bucket.

    The profiler's buckets are by (mean - shortest) / (longest - shortest); the shortest is taken as 0 here.
    """

    def __init__(self, alphas: Alphas) -> None:
        columns = (alphas.decodes, alphas.share, alphas.longest)
        self._bounds = [sorted(set(column.tolist())) for column in columns]
        keys = zip(*(column.tolist() for column in columns), strict=True)
        self._alpha = dict(zip(keys, alphas.alpha.tolist(), strict=True))
        self._otherwise = alphas.otherwise
        shares = [bound for bound in self._bounds[1] if bound < 1]
        self._shares = [round(bound * _SCALE) for bound in shares]

    def at(self, decodes: int, total: int, longest: int) -> tuple[float, int]:
        """Return (alpha, for how many iterations) of `decodes` histories of `total` tokens, the longest of `longest`.

        total < decodes * longest: the batch is uneven.
        """
        by_decodes, by_share, by_longest = self._bounds
        whole = decodes * longest
        share = bisect_left(self._shares, -(-total * _SCALE // whole))
        upper = (
            _bound(by_decodes, decodes),
            by_share[share] if share < len(by_share) else np.inf,
            _bound(by_longest, longest),
        )
        iterations = UNBOUNDED
        if share < len(self._shares):
            # The share is below the bound while total + n j <= bound * n * (longest + j).
            bound = self._shares[share]
            iterations = (bound * whole - total * _SCALE) // (decodes * (_SCALE - bound)) + 1
        if np.isfinite(upper[2]):
            iterations = min(iterations, int(upper[2]) - longest + 1)
        return self._alpha.get(upper, self._otherwise), max(1, iterations)


class Ratios:
    """How many times longer a batch with a chunk takes than the one with even decodes, by mean / longest and longest.

    Between the points measured it is linear, outside them it stays as at the edge.
    """

    def __init__(self, uneven: Uneven) -> None:
        mixed = uneven.chunk > 0
        ratio = uneven.us / uneven.even_us
        parts = (uneven.chunk, uneven.decodes, uneven.before, uneven.mean / uneven.longest, uneven.longest, ratio)
        rows = zip(*(part[mixed].tolist() for part in parts), strict=True)
        points = {row[:-1]: row[-1] for row in rows}
        self._table = Nested(((*point, value) for point, value in points.items()), beyond="edge")

    def at(self, chunk: float, decodes: int, before: float, mean: float, longest: int) -> float:
        return self._table.at(chunk, decodes, before, mean / longest, longest)


class LongestAlone:
    """The least that decodes alone take for each token of the longest history, where one long request decides alone.

    Up to some batch size attention splits a history over several blocks; above it, one block walks all of it. That
    size shows in batches with one long request: it costs little up to there, and much beyond.

    above: the largest batch in which it cost little. us: microseconds a token, the least of any batch in the next size.
    """

    def __init__(self, above: int, us: float) -> None:
        self.above = above
        self.us = us

    @classmethod
    def of(cls, uneven: Uneven) -> "LongestAlone | None":
        """Return what batches with one long request show; None where it never costs much."""
        alone = (uneven.chunk == 0) & (uneven.long == 1)
        above = 1
        for decodes in sorted(set(uneven.decodes[alone].tolist())):
            batch = alone & (uneven.decodes == decodes)
            last = np.flatnonzero(batch)[uneven.longest[batch].argmax()]
            if uneven.us[last] >= _DECIDES * uneven.even_us[last]:
                return cls(int(above), float((uneven.us[batch] / uneven.longest[batch]).min()))
            above = int(decodes)
        return None


def _bound(bounds: list[float], value: float) -> float:
    """Return the first bound that `value` does not exceed; infinite above them all."""
    i = bisect_left(bounds, value)
    return bounds[i] if i < len(bounds) else np.inf
