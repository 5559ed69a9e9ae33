"""Fitted: a cost model of a few numbers, fitted to the iteration log of a real run.

They are what an engine's iteration visibly depends on: how many tokens it processes, in how many prefill chunks, how
many query-key pairs these attend to, how many requests decode, and over how much context. Time by tokens is a curve:
matrix products have steps (three rows may take longer than four), and CUDA graphs are padded to a few sizes.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simcore.contract import PS_PER_S, UNBOUNDED, Shape

COUNTED = ("chunk", "prefill_pair", "decode", "context")
"""The terms that are so much for each."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Picoseconds of each prefill chunk, query-key pair of one, decode and token of context, and by tokens.

    tokens: points (tokens, picoseconds) of what an iteration takes by its number of tokens, straight in between; fewer
        than the first take what the first does, beyond the last point the last piece goes on.
    """

    tokens: tuple[tuple[int, int], ...] = ((1, 0),)
    chunk: int = 0
    prefill_pair: int = 0
    decode: int = 0
    context: int = 0

    def __post_init__(self) -> None:
        for name in COUNTED:
            _whole(name, getattr(self, name))
        if not self.tokens:
            raise ValueError("tokens must have at least one point, got none")
        for count, took_ps in self.tokens:
            _whole("tokens", count)
            _whole("tokens", took_ps)
        if any(after <= before for (before, _), (after, _) in zip(self.tokens, self.tokens[1:], strict=False)):
            raise ValueError(f"tokens must be points in the order of tokens, each once, got {self.tokens!r}")

    def by_tokens(self, count: int) -> int:
        """Return the picoseconds that `count` tokens take.

        >>> terms = Terms(tokens=((1, 100), (4, 130), (8, 150)))
        >>> [terms.by_tokens(count) for count in (0, 1, 2, 4, 6, 8, 10)]
        [100, 100, 110, 130, 140, 150, 160]
        """
        points = self.tokens
        if count <= points[0][0] or len(points) == 1:
            return points[0][1]
        last = min(bisect_left(points, (count, 0)), len(points) - 1)
        (x0, y0), (x1, y1) = points[last - 1 : last + 1]
        rise = y1 - y0 if count <= x1 else max(0, y1 - y0)
        return y1 - rise * (x1 - count) // (x1 - x0)


class Fitted:
    """A cost model from terms.

    described: where the terms come from, and how far they are off.

    >>> Fitted(Terms(tokens=((1, 100),), prefill_pair=1)).line(Shape(chunks=[(4, 10)]))[:2]  # 11 + 12 + 13 + 14 pairs
    (150, 16)
    """

    uses_longest = False

    def __init__(self, terms: Terms, described: Mapping[str, object] | None = None) -> None:
        self.numbers = terms
        self.described = dict(described or {})
        self._by_tokens: dict[int, int] = {}

    def line(self, shape: Shape) -> tuple[int, int, int]:
        t = self.numbers
        tokens = shape.decodes
        first = t.decode * shape.decodes + t.context * shape.context
        increment = t.context * shape.decodes
        for new, before in shape.chunks:
            tokens += new
            first += t.chunk + t.prefill_pair * pairs(new, before)
            increment += t.prefill_pair * new * new
        return max(1, first + self._tokens_ps(tokens)), increment, UNBOUNDED

    def terms(self, shape: Shape) -> dict[str, float]:
        tokens, counts = features(shape.decodes, shape.context, shape.chunks)
        found = {"tokens": self._tokens_ps(tokens) / PS_PER_S}
        for name, count in zip(COUNTED, counts, strict=True):
            found[name] = getattr(self.numbers, name) * count / PS_PER_S
        return found

    def describe(self) -> dict[str, object]:
        terms_ps = {f"{name}_ps": getattr(self.numbers, name) for name in ("tokens", *COUNTED)}
        return {"cost": "fitted", **terms_ps, **self.described}

    def _tokens_ps(self, tokens: int) -> int:
        known = self._by_tokens.get(tokens)
        if known is None:
            known = self._by_tokens[tokens] = self.numbers.by_tokens(tokens)
        return known


def features(decodes: int, context: int, chunks: Sequence[tuple[int, int]]) -> tuple[int, tuple[int, int, int, int]]:
    """Return the tokens of one iteration, and how often each of `COUNTED` is in it."""
    tokens = decodes + sum(new for new, _ in chunks)
    return tokens, (len(chunks), sum(pairs(new, before) for new, before in chunks), decodes, context)


def pairs(new: int, before: int) -> int:
    """Return over how many keys, all together, the queries of a chunk look.

    >>> pairs(3, 10)
    36
    """
    return new * before + new * (new + 1) // 2


def _whole(name: str, value: object) -> None:
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} must be whole numbers >= 0, of picoseconds, got {value!r}")
