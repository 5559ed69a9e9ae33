"""Draws: random numbers keyed by (seed, replication, purpose, request), so that systems meet the same traffic.

Requests are cut into blocks of fixed size, and each block and purpose has its own generator. A block is always
drawn whole. So what request i gets depends on nothing else: not on the rate, on how many requests there are, on
how they are read, or on how many numbers another purpose needed.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from numpy.typing import NDArray

BLOCK = 8192
"""Requests per generator. Changing it changes every generated workload."""

Purpose = Literal[
    "arrivals",
    "prompt",
    "output",
    "class",
    "turns",
    "system_prompt",
    "turn_tokens",
    "tool",
    "wait",
    "cancel",
    "modulation",
    "group",
    "pairing",
    "order",
]
_KEYS: dict[Purpose, int] = {
    "arrivals": 0,
    "prompt": 1,
    "output": 2,
    "class": 3,
    "turns": 4,
    "system_prompt": 5,
    "turn_tokens": 6,
    "tool": 7,
    "wait": 8,
    "cancel": 9,
    "modulation": 10,
    "group": 11,
    "pairing": 12,
    "order": 13,
}

Number = TypeVar("Number", bound=np.generic)


def blocks(seed: int, replication: int, purpose: Purpose, *part: int) -> Iterator[Generator]:
    """Yield the generator of each block of requests, without end; `part` tells streams of one purpose apart.

    >>> a, b = next(blocks(0, 0, "prompt")).random(), next(blocks(0, 0, "output")).random()
    >>> a == next(blocks(0, 0, "prompt")).random(), a == b
    (True, False)
    """
    for block in count():
        yield Generator(Philox(SeedSequence(seed, spawn_key=(replication, _KEYS[purpose], *part, block))))


class Tape(Generic[Number]):
    """Numbers in order, drawn by blocks and taken as many at a time as wanted.

    >>> tape = Tape(iter([np.array([1, 2, 3]), np.array([4, 5, 6])]))
    >>> tape.take(2).tolist(), tape.take(3).tolist()
    ([1, 2], [3, 4, 5])
    """

    def __init__(self, drawn: Iterator[NDArray[Number]]) -> None:
        self._drawn = drawn
        self._left: list[NDArray[Number]] = []

    def take(self, n: int) -> NDArray[Number]:
        """Return the next [n] numbers."""
        have = sum(map(len, self._left))
        while have < n:
            self._left.append(next(self._drawn))
            have += len(self._left[-1])
        together: NDArray[Any] = self._left[0] if len(self._left) == 1 else np.concatenate(self._left)
        self._left = [together[n:]]
        return together[:n]
