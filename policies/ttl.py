"""TTL: the arithmetic of keeping KV over a tool call, and what past calls, programs and waits say about the next.

Source: Continuum, arXiv:2511.02230, equations of the time to live; the cold start is its K = 100. Not a policy: numbers
in, numbers out, for `continuum` and `min_waste`.
"""

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log, sqrt

COLD_START = 100
"""K: up to so many samples the prior decides, or the durations of all tools."""
PRIOR_MEAN_S = 1.0
CODE_THRESHOLD_S = 2.0
"""Of the public code: tools that take longer on average are not waited for, others so long."""


def best_ttl(durations_s: Sequence[float], benefit_s: float) -> float:
    """Return the time to live that gains most: argmax over {0} and the durations of P(d <= ttl) * benefit - ttl.

    durations_s: of past calls, ascending, seconds. benefit_s: what a hit saves. Ties go to the shorter.

    >>> best_ttl([0.5, 1, 2, 4, 8], 10), best_ttl([1, 1, 30], 6), best_ttl([1, 1, 30], 1), best_ttl([], 10)
    (2, 1, 0.0, 0.0)
    """
    if not durations_s:
        return 0.0
    share = benefit_s / len(durations_s)
    best, most = 0.0, bisect_right(durations_s, 0.0) * share
    for before, ttl in enumerate(durations_s):
        if ttl >= benefit_s:
            break  # it costs more than it can ever save
        gain = bisect_right(durations_s, ttl, before) * share - ttl
        if gain > most + 1e-12:
            best, most = ttl, gain
    return best


def prior_ttl(benefit_s: float) -> float:
    """Return the best time to live where durations are exponential with a mean of one second.

    >>> round(prior_ttl(10), 6), prior_ttl(1.0), prior_ttl(-3)
    (2.302585, 0.0, 0.0)
    """
    return PRIOR_MEAN_S * log(benefit_s / PRIOR_MEAN_S) if benefit_s > PRIOR_MEAN_S else 0.0


def code_ttl(durations_s: Sequence[float]) -> float:
    """Return the time to live of the public code (`estimate_with_func.py`): a threshold, from the mean of one tool.

    >>> code_ttl([1.9]), code_ttl([2.0]), code_ttl([2.1]), code_ttl([])
    (2.0, 2.0, 0.0, 2.0)
    """
    mean = sum(durations_s) / len(durations_s) if durations_s else 0.0
    return CODE_THRESHOLD_S if mean <= CODE_THRESHOLD_S else 0.0


@dataclass
class Durations:
    """How long calls took, of each tool and of all together: the newest `window` of each. Ascending, seconds."""

    window: int = 1000
    everything: list[float] = field(default_factory=list)
    of_tool: dict[str, list[float]] = field(default_factory=dict)
    _in_order: dict[str | None, deque[float]] = field(default_factory=dict)

    def add(self, tool: str, duration_s: float) -> None:
        """Note a call; a duration below zero, of a clock that went back, counts as zero."""
        took = max(0.0, duration_s)
        self._slide(None, self.everything, took)
        self._slide(tool, self.of_tool.setdefault(tool, []), took)

    @property
    def cold(self) -> bool:
        """There are too few to say anything of any tool."""
        return len(self.everything) <= COLD_START

    def best_ttl(self, tool: str, benefit_s: float) -> float:
        """Return the time to live by the prior, by all calls, or by this tool's, as far as there are enough."""
        if self.cold:
            return prior_ttl(benefit_s)
        own = self.of_tool.get(tool, [])
        return best_ttl(own if len(own) > COLD_START else self.everything, benefit_s)

    def _slide(self, whose: str | None, ascending: list[float], value: float) -> None:
        in_order = self._in_order.setdefault(whose, deque())
        insort(ascending, value)
        in_order.append(value)
        if len(in_order) > self.window:
            del ascending[bisect_right(ascending, in_order.popleft()) - 1]


@dataclass
class TurnsLeft:
    """How well the turns a program has had foretell those it will have: eta, over the last `window` programs.

    eta = -correlation of k turns done with N - k to come: 1 if all programs are equally long, 0 if their length has no
    memory; below 0 if those that have gone on will go on.

    >>> eta = TurnsLeft()
    >>> eta.add(2); eta.add(4); round(eta.value, 4)
    0.6098
    """

    window: int = 256
    _lengths: deque[int] = field(default_factory=deque)
    _sums: list[int] = field(default_factory=lambda: [0] * 6)

    def add(self, turns: int) -> None:
        """Note a program of `turns` turns that has ended."""
        self._lengths.append(turns)
        self._count(turns, 1)
        if len(self._lengths) > self.window:
            self._count(self._lengths.popleft(), -1)

    def _count(self, turns: int, sign: int) -> None:
        done, left = range(turns), range(turns, 0, -1)
        for i, values in enumerate(
            ([1] * turns, done, left, [k * k for k in done], [m * m for m in left], map(int.__mul__, done, left))
        ):
            self._sums[i] += sign * sum(values)

    @property
    def value(self) -> float:
        n, x, y, xx, yy, xy = self._sums
        spread = (n * xx - x * x) * (n * yy - y * y)
        return -(n * xy - x * y) / sqrt(spread) if spread > 0 else 1.0


@dataclass
class Waits:
    """How long those waited whose KV was gone when they came back: T, the mean of the last `window`; at first 0."""

    window: int = 256
    _waits_s: deque[float] = field(default_factory=deque)

    def add(self, wait_s: float) -> None:
        self._waits_s.append(max(0.0, wait_s))
        if len(self._waits_s) > self.window:
            self._waits_s.popleft()

    @property
    def mean_s(self) -> float:
        return sum(self._waits_s) / len(self._waits_s) if self._waits_s else 0.0
