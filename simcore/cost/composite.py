"""Composite: a cost model that is a sum of terms, each kept apart and each replaceable.

Two kinds of terms meet here. A `CountTerm` depends on a count alone (tokens, or sequences) and the SM share, so its
value is remembered. A `LineTerm` sees the whole shape and answers as a cost model does. All answer in whole
picoseconds: the sum of exact lines is an exact line, for the fewest iterations any of them promises.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from simcore.contract import PS_PER_S, UNBOUNDED, Shape


class CountTerm(Protocol):
    """A part of the step that depends only on how many tokens (or sequences) it processes."""

    @property
    def name(self) -> str: ...

    def ps(self, count: int, sm_pct: int) -> int:
        """Return picoseconds for `count` tokens (or sequences) on `sm_pct` percent of the SMs."""


class LineTerm(Protocol):
    """A part of the step that changes as contexts grow."""

    @property
    def name(self) -> str: ...

    @property
    def uses_longest(self) -> bool: ...

    def line(self, shape: Shape) -> tuple[int, int, int]:
        """Return (first, increment, iterations), exact in the sense of `CostModel.line`."""


class Composite:
    """A cost model made of terms; see `Roofline` for the one built from datasheets.

    by_tokens: terms of the tokens processed, decodes plus the new tokens of all chunks.
    by_sequences: terms of the sequences in the batch, decodes plus chunks.
    lines: terms of contexts.
    described: what `describe` returns: constants with their sources.
    """

    def __init__(
        self,
        *,
        by_tokens: Sequence[CountTerm],
        by_sequences: Sequence[CountTerm],
        lines: Sequence[LineTerm],
        described: Mapping[str, object],
    ) -> None:
        self.uses_longest = any(term.uses_longest for term in lines)
        self._tokens_ps = _Remembered(by_tokens)
        self._sequences_ps = _Remembered(by_sequences)
        self._lines = tuple(lines)
        self._line_of = tuple(term.line for term in lines)
        self._described = dict(described)

    def line(self, shape: Shape) -> tuple[int, int, int]:
        tokens = sequences = shape.decodes
        for new, _ in shape.chunks:
            tokens += new
            sequences += 1
        share = shape.sm_pct
        first = self._tokens_ps[tokens << 7 | share] + self._sequences_ps[sequences << 7 | share]
        increment = 0
        iterations = UNBOUNDED
        for line in self._line_of:
            ps, more_ps, exact_for = line(shape)
            first += ps
            increment += more_ps
            if exact_for < iterations:
                iterations = exact_for
        return first, increment, iterations

    def terms(self, shape: Shape) -> dict[str, float]:
        sequences = shape.decodes + len(shape.chunks)
        tokens = shape.decodes + sum(new for new, _ in shape.chunks)
        ps = {term.name: term.ps(tokens, shape.sm_pct) for term in self._tokens_ps.terms}
        ps |= {term.name: term.ps(sequences, shape.sm_pct) for term in self._sequences_ps.terms}
        ps |= {term.name: term.line(shape)[0] for term in self._lines}
        return {name: value / PS_PER_S for name, value in ps.items()}

    def describe(self) -> dict[str, object]:
        return dict(self._described)


class _Remembered(dict[int, int]):
    """Sums of count terms by `count << 7 | sm_pct`: a share takes seven bits. As large as the largest batch."""

    def __init__(self, terms: Sequence[CountTerm]) -> None:
        super().__init__()
        self.terms = tuple(terms)

    def __missing__(self, key: int) -> int:
        total = sum(term.ps(key >> 7, key & 127) for term in self.terms)
        self[key] = total
        return total
