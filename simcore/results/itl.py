"""ITL: exact statistics of the gaps between tokens, pooled over all requests, without expanding a token.

vLLM pools every gap of every request, so long responses weigh more. Here a step's gaps are an arithmetic progression
with a weight, and a run's hundred million gaps are a few rows per request.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import floor, fsum, sqrt
from pathlib import Path

import numpy as np

from simcore.contract import PS_PER_MS
from simcore.results.combs import Combs
from simcore.results.ranks import Pieces, select
from simcore.results.spill import read_gaps, read_steps


@dataclass(frozen=True, slots=True)
class Pooled:
    """Statistics of pooled values, milliseconds; `percentiles_ms` by percentile. None of them when `count` is 0."""

    count: int
    mean_ms: float | None
    std_ms: float | None
    percentiles_ms: Mapping[float, float | None]


def pooled_itl(directory: Path, percentiles: Sequence[float], since_ps: int = 0) -> Pooled:
    """Return the statistics of all gaps of a cell whose iteration started at or after `since_ps`.

    Gaps across a preemption carry no date and are always counted.
    """

    def pieces() -> Iterator[Combs]:
        for rows in read_steps(directory, since_ps):
            _, _, first, increment, iterations, decodes = rows.T
            yield Combs.of(first, increment, iterations, decodes)
        for gaps in read_gaps(directory):
            yield Combs.single(gaps)

    return pooled(pieces, percentiles)


def pooled(pieces: Pieces, percentiles: Sequence[float]) -> Pooled:
    """Return the statistics of all values in `pieces()`, picoseconds: population std, linear percentiles.

    They equal `np.mean`, `np.std` and `np.percentile` of the expanded values, up to rounding.
    """
    count, mean, std = _moments(pieces)
    if not count:
        return Pooled(0, None, None, dict.fromkeys(percentiles))
    places = {percentile: (count - 1) * (percentile / 100) for percentile in percentiles}
    ranks = [min(floor(place) + step, count - 1) for place in places.values() for step in (0, 1)]
    values = select(pieces, ranks)
    found: dict[float, float | None] = {}
    for percentile, place in places.items():
        low = values[floor(place)]
        high = values[min(floor(place) + 1, count - 1)]
        found[percentile] = (low + (high - low) * (place - floor(place))) / PS_PER_MS
    return Pooled(count, mean / PS_PER_MS, std / PS_PER_MS, found)


def _moments(pieces: Pieces) -> tuple[int, float, float]:
    """Return count, mean and population std. Sums are exact over rows (`fsum`), so order and pieces do not matter."""
    count = 0
    sums: list[float] = []
    squares: list[float] = []
    centre: float | None = None
    for combs in pieces():
        teeth = combs.length.astype(np.float64)
        weight = combs.weight.astype(np.float64)
        increment = combs.increment.astype(np.float64)
        if centre is None:
            # Near the mean, so that the squares below lose no digits to a large common offset.
            centre = float(np.average(combs.first, weights=teeth * weight)) if len(combs) else None
        if centre is None:
            continue
        first = combs.first - centre
        pairs = teeth * (teeth - 1) / 2
        sums.append(fsum((weight * (teeth * first + increment * pairs)).tolist()))
        square = teeth * first**2 + 2 * first * increment * pairs + increment**2 * pairs * (2 * teeth - 1) / 3
        squares.append(fsum((weight * square).tolist()))
        count += combs.total()
    if not count or centre is None:
        return 0, 0.0, 0.0
    offset = fsum(sums) / count
    return count, centre + offset, sqrt(max(fsum(squares) / count - offset**2, 0.0))
