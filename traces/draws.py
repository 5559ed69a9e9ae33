"""Draws: random numbers keyed by (seed, replication, purpose, request), so that systems meet the same traffic.

Requests are cut into blocks of fixed size, and each block and purpose has its own generator. A block is always
drawn whole. So what request i gets depends on nothing else: not on the rate, on how many requests there are, on
how they are read, or on how many numbers another purpose needed.
"""

from collections.abc import Iterator
from itertools import count
from typing import Literal

from numpy.random import Generator, Philox, SeedSequence

BLOCK = 8192
"""Requests per generator. Changing it changes every generated workload."""

Purpose = Literal["arrivals", "prompt", "output", "class"]
_KEYS: dict[Purpose, int] = {"arrivals": 0, "prompt": 1, "output": 2, "class": 3}


def blocks(seed: int, replication: int, purpose: Purpose) -> Iterator[Generator]:
    """Yield the generator of each block of requests, without end.

    >>> a, b = next(blocks(0, 0, "prompt")).random(), next(blocks(0, 0, "output")).random()
    >>> a == next(blocks(0, 0, "prompt")).random(), a == b
    (True, False)
    """
    for block in count():
        yield Generator(Philox(SeedSequence(seed, spawn_key=(replication, _KEYS[purpose], block))))
