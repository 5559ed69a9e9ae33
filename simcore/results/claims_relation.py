"""Relations: what a claim says about its quantity, as a band in which it must lie, or a shape along a sweep."""

from dataclasses import dataclass
from difflib import get_close_matches
from math import inf

from simcore.results.claims_sample import Estimate

ORDERS = (">", ">=", "<", "<=")
AMOUNTS = ("ratio", "reduction", "difference", "value")
TRENDS = ("grows with", "falls with", "flat in", "peaks over")
"""Shapes along a sweep; the key follows."""
RATIOS = ("ratio", "factor")
"""Quantities that say how many times."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation, and for a trend the sweep key it runs along (else None).

    >>> Relation.parse("grows with workload.rate")
    Relation(kind='grows with', along='workload.rate')
    """

    kind: str
    along: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Relation":
        """Read a relation as a study writes it. Raises ValueError for any other text."""
        if text in ORDERS or text in AMOUNTS:
            return cls(text)
        kind, _, key = text.rpartition(" ")
        if kind in TRENDS and key:
            return cls(kind, key)
        known = [*ORDERS, *AMOUNTS, *(f"{trend} KEY" for trend in TRENDS)]
        near = get_close_matches(text, [*ORDERS, *AMOUNTS, *(f"{trend} {key}" for trend in TRENDS)], 1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        raise ValueError(f"must be one of {', '.join(known)}, got '{text}'{hint}")

    def __str__(self) -> str:
        return self.kind if self.along is None else f"{self.kind} {self.along}"

    @property
    def quantity(self) -> str:
        """What of the two systems, or of the one, is measured."""
        return "difference" if self.kind in ORDERS else self.kind


@dataclass(frozen=True, slots=True)
class Band:
    """Values from `low` to `high`, the ends themselves included or not."""

    low: float = -inf
    high: float = inf
    open_ends: bool = False

    @classmethod
    def of_order(cls, order: str) -> "Band":
        """Return where the difference of two systems lies when the first stands in `order` to the second.

        >>> Band.of_order("<=")
        Band(low=-inf, high=0.0, open_ends=False)
        """
        return cls(*((0.0, inf) if order.startswith(">") else (-inf, 0.0)), open_ends=not order.endswith("="))

    def holds(self, found: Estimate) -> bool:
        """Return whether all of the interval lies inside."""
        if self.open_ends:
            return (self.low == -inf or found.low > self.low) and (self.high == inf or found.high < self.high)
        return found.low >= self.low and found.high <= self.high

    def excludes(self, found: Estimate) -> bool:
        """Return whether all of the interval lies outside."""
        if self.open_ends:
            return found.high <= self.low or found.low >= self.high
        return found.high < self.low or found.low > self.high

    def room(self, found: Estimate) -> float:
        """Return how far the interval lies inside the nearest end; negative where it sticks out."""
        return min(found.low - self.low, self.high - found.high)

    def favours_more(self, neutral: float) -> bool:
        """Return whether larger values are the better ones: only a lower end, or both on that side of `neutral`."""
        if self.low == -inf or self.high == inf:
            return self.high == inf
        return (self.low + self.high) / 2 >= neutral
