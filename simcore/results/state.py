"""State: did a run keep up with its load? STABLE, BACKLOGGED or OVERLOADED, from the requests that wait.

The window runs from the first to the last arrival that counts (after warm-up) and is cut into 100 equal parts; n is
the number of requests that have arrived and not yet started (those of the warm-up too) at the end of each part; who was
turned away, or gave up, before it started counts as waiting to the end. `before` is the mean of n over the second
quarter of the window, `at_end` over its last twentieth.

- STABLE: `at_end` is at most 1.25 `before`; or larger, but by at most 1% of the arrivals in the window.
- OVERLOADED: else, and over the second half of the window the least-squares line through n grows by more than 5% of the
  arrivals in that half. In the long run that is a load of about 105% and more: one request in twenty is left over.
- BACKLOGGED: else: a queue built up and had not drained when arrivals ended.

Who waits, and not who is in the system: batches grow with load long before anybody queues, and for minutes.
When all requests arrive at once there is no window: two or more are a backlog.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from simcore.results.schema import Health

PARTS = 100
GROWTH_LIMIT = 0.05
BACKLOG_LIMIT = 0.01
BACKLOG_RATIO = 1.25

Ints = NDArray[np.int64]


def count_by_part(dates_ps: Iterable[Ints], start_ps: int, end_ps: int) -> Ints:
    """Return how many dates lie before the window and in each of its parts, [1 + PARTS]; later ones count nowhere."""
    counts = np.zeros(1 + PARTS, np.int64)
    for dates in dates_ps:
        inside = dates[dates <= end_ps] - start_ps
        # Float: a product of picoseconds and PARTS could pass 63 bits.
        part = (inside / max(end_ps - start_ps, 1) * PARTS).astype(np.int64)
        counts += np.bincount(np.where(inside < 0, 0, 1 + np.minimum(part, PARTS - 1)), minlength=1 + PARTS)
    return counts


def classify(arrivals: Ints, starts: Ints) -> Health:
    """Return the state of a run from its arrivals and starts before and in each part of the window, [1 + PARTS].

    >>> even = np.full(101, 10)
    >>> classify(even, even), classify(even, even - 1)
    ('STABLE', 'OVERLOADED')
    """
    waiting = np.cumsum(arrivals - starts)[1:]
    arrived = int(arrivals[1:].sum())
    if arrived == int(arrivals[1]):
        return "BACKLOGGED" if arrived > 1 else "STABLE"
    half = PARTS // 2
    before = float(waiting[PARTS // 4 : half].mean())
    at_end = float(waiting[-PARTS // 20 :].mean())
    if at_end <= BACKLOG_RATIO * before or at_end - before <= BACKLOG_LIMIT * arrived:
        return "STABLE"
    growth = _slope(waiting[half:]) * half
    return "OVERLOADED" if growth > GROWTH_LIMIT * int(arrivals[1 + half :].sum()) else "BACKLOGGED"


def _slope(values: Ints) -> float:
    """Return the slope of the least-squares line through `values` at 0, 1, 2, …"""
    place = np.arange(len(values)) - (len(values) - 1) / 2
    return float(place @ values / (place @ place))
