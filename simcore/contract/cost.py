"""Cost: what an iteration looks like to a cost model, and what the model answers.

`line(shape) -> (first, increment, iterations)`: the next iteration takes `first` picoseconds; while the batch
keeps its members, each further one takes `increment` >= 0 more than the one before; and that holds exactly for
`iterations` iterations from now. So a simulator covers many iterations in one event, bit for bit.
"""

from typing import Protocol

UNBOUNDED = 1 << 62
"""Answer for `iterations` when the line never bends."""


class Shape:
    """The work of one iteration of one lane. Reused from step to step: read it, do not keep it.

    decodes: requests that each process one token.
    context: tokens their attention reads in this iteration, all decodes together (own new token included).
    longest: the longest of those contexts; kept up to date only if the model sets `uses_longest`.
    chunks: [(new, before)] per prefill chunk: tokens processed now, tokens of that request processed before.
    sm_pct: share of the SMs this lane may use, 1..100.

    One iteration later, if membership stays: `context += decodes`, `longest += 1`, `before += new` per chunk.
    """

    __slots__ = ("chunks", "context", "decodes", "longest", "sm_pct")

    def __init__(
        self,
        decodes: int = 0,
        context: int = 0,
        longest: int = 0,
        chunks: list[tuple[int, int]] | None = None,
        sm_pct: int = 100,
    ) -> None:
        self.decodes = decodes
        self.context = context
        self.longest = longest
        self.chunks: list[tuple[int, int]] = chunks if chunks is not None else []
        self.sm_pct = sm_pct

    def after(self, iterations: int) -> "Shape":
        """Return the shape `iterations` iterations later, membership unchanged."""
        return Shape(
            self.decodes,
            self.context + self.decodes * iterations,
            self.longest + iterations,
            [(new, before + new * iterations) for new, before in self.chunks],
            self.sm_pct,
        )

    def __repr__(self) -> str:
        decodes = f"decodes={self.decodes}, context={self.context}, longest={self.longest}"
        return f"Shape({decodes}, chunks={self.chunks}, sm_pct={self.sm_pct})"


class CostModel(Protocol):
    """How long iterations take."""

    @property
    def uses_longest(self) -> bool: ...

    def line(self, shape: Shape) -> tuple[int, int, int]:
        """Return (first, increment, iterations): picoseconds, picoseconds, count >= 1.

        Exact: for every j < iterations, `line(shape.after(j))[0] == first + j * increment`. Does not keep
        or modify `shape`.
        """

    def terms(self, shape: Shape) -> dict[str, float]:
        """Return the seconds of each term of the next iteration; their sum is `first` up to rounding."""

    def describe(self) -> dict[str, object]:
        """Return what made the model: constants with their sources, provenance, error if known."""
