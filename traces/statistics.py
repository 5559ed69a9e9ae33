"""Statistics: what a workload is like, from one reading, in memory that does not grow with it.

Only what prompts have in common needs memory for each of their blocks; it may be left out.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from simcore.contract.traffic import Arrivals, Column, Workload
from simcore.contract.units import PS_PER_S, to_s
from traces.pieces import begins
from traces.sharing import prefix_hit_share
from traces.tallies import LogTally, Tally, Timeline, quantiles
from traces.uses import Uses

FOUND_BLOCK_TOKENS = 16
"""Of the prefix cache that is asked what it would find; vLLM's."""
_TELLING_WINDOWS = 10
"""From so many on their variance says something."""


@dataclass(frozen=True)
class Spread:
    """Whole numbers, in sum and by their quantiles; `tally` has them all."""

    tally: Tally
    n: int
    sum: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: int

    @classmethod
    def of(cls, tally: Tally) -> "Spread":
        values, counts = tally.table()
        total, n = int(values @ counts), int(counts.sum())
        p50, p90, p99 = quantiles(values, counts, (0.5, 0.9, 0.99))
        return cls(tally, n, total, total / n, p50, p90, p99, int(values[-1]))

    def as_dict(self) -> dict[str, float]:
        return {key: getattr(self, key) for key in ("sum", "mean", "p50", "p90", "p99", "max")}


@dataclass(frozen=True)
class ArrivalStatistics:
    """What comes by itself: `of` says what, where programs and groups come as one. Rates per second, in whole windows.

    rate: (n - 1) / span, as everywhere; None if all come at once. peak_60s: None if they take less than that.
    gap_cv: of the times between them, 1 is Poisson. dispersion_10s: variance over mean of the arrivals in 10 s windows,
    1 is Poisson; None of fewer than ten windows.
    """

    of: str
    n: int
    span_s: float
    rate: float | None
    peak_1s: float
    peak_60s: float | None
    gap_cv: float | None
    dispersion_10s: float | None
    timeline: Timeline
    gaps: LogTally

    def as_dict(self) -> dict[str, str | float | None]:
        keys = ("of", "n", "span_s", "rate", "peak_1s", "peak_60s", "gap_cv", "dispersion_10s")
        return {key: getattr(self, key) for key in keys}


@dataclass(frozen=True)
class ProgramStatistics:
    """Sessions and runs of agents. gaps: the waits between the end of a turn and the next one. tools: calls of each."""

    turns: Spread
    gaps: LogTally
    tools: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        gaps = {f"p{percent}": self.gaps.quantile(percent / 100) for percent in (50, 90, 99)} if self.gaps.n else {}
        return {
            "programs": self.turns.n,
            "turns": self.turns.as_dict(),
            "gap_s": {"n": self.gaps.n, "mean": self.gaps.mean, **gaps, "max": self.gaps.most},
            "tools": self.tools,
        }


@dataclass(frozen=True)
class SharingStatistics:
    """found: share of the prompt tokens that a prefix cache without bounds would find, in blocks of 16 tokens."""

    found: float
    uses: Uses

    def as_dict(self) -> dict[str, float]:
        return {"found": self.found, "block_tokens": FOUND_BLOCK_TOKENS}


@dataclass(frozen=True)
class Statistics:
    """What a workload is like. `sharing` and `programs`: None where there is nothing of it, or it was not asked for."""

    name: str
    source: str
    requests: int
    skipped: int
    arrivals: ArrivalStatistics
    prompt_tokens: Spread
    output_tokens: Spread
    sharing: SharingStatistics | None
    programs: ProgramStatistics | None
    classes: dict[str, int]
    groups: Spread | None
    """Requests of each rollout group."""

    def as_dict(self) -> dict[str, Any]:
        """Return all numbers, as JSON has them."""
        parts = ("arrivals", "prompt_tokens", "output_tokens", "sharing", "programs", "groups")
        return {
            **{key: getattr(self, key) for key in ("name", "source", "requests", "skipped", "classes")},
            **{key: part and part.as_dict() for key in parts for part in (getattr(self, key),)},
        }


def measure(workload: Workload, *, sharing: bool = True) -> Statistics:
    """Return what a workload is like; `sharing`: also what its prompts have in common, if it says."""
    sharing = sharing and _says_what_is_shared(workload)
    read = _Read(workload, Uses() if sharing else None)
    if sharing:
        # It reads the workload anyway, so all else is counted on the way; of a workload, it asks for the pieces alone.
        found = prefix_hit_share(cast(Workload, read), FOUND_BLOCK_TOKENS)
        return read.statistics(found)
    for _ in read.pieces():
        pass
    return read.statistics(None)


def _says_what_is_shared(workload: Workload) -> bool:
    piece = next(workload.pieces())
    return any(part is not None for part in (piece.head, piece.stream, piece.program))


class _Read:
    """A workload's pieces, counted as somebody reads them."""

    def __init__(self, workload: Workload, uses: Uses | None) -> None:
        self._workload = workload
        self._uses = uses
        self._prompt, self._output, self._turns, self._groups = Tally(), Tally(), Tally(), Tally()
        self._timeline = Timeline()
        self._between, self._gaps = LogTally(), LogTally()
        self._arrivals = 0
        self._first_ps = self._last_ps = 0
        self._classes: Counter[int] = Counter()
        self._tools: Counter[int] = Counter()

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the pieces; each is counted before it is handed on."""
        for piece in self._workload.pieces():
            self._prompt.add(piece.prompt_tokens)
            self._output.add(piece.output_tokens)
            self._add_arrivals(piece.at_ps[begins(piece)])
            self._add_turns(piece)
            self._classes.update(_counts(piece.request_class))
            self._tools.update(_counts(piece.tool))
            self._groups.add(np.array(list(_counts(piece.group).values()), dtype=np.int64))
            if self._uses is not None:
                self._uses.add(piece)
            yield piece

    def _add_arrivals(self, at_ps: Column) -> None:
        if not len(at_ps):
            return
        self._timeline.add(at_ps // PS_PER_S)
        if self._arrivals:
            self._between.add(np.diff(at_ps, prepend=self._last_ps) / PS_PER_S)
        else:
            self._between.add(np.diff(at_ps) / PS_PER_S)
            self._first_ps = int(at_ps[0])
        self._last_ps = int(at_ps[-1])
        self._arrivals += len(at_ps)

    def _add_turns(self, piece: Arrivals) -> None:
        """Count the turns of programs, which stand in one piece."""
        if piece.program is None or piece.turn is None or piece.gap_ps is None:
            return
        _, turns = np.unique(piece.program[piece.program >= 0], return_counts=True)
        self._turns.add(turns)
        self._gaps.add(piece.gap_ps[(piece.program >= 0) & (piece.turn > 0)] / PS_PER_S)

    def statistics(self, found: float | None) -> Statistics:
        workload = self._workload
        prompt = Spread.of(self._prompt)
        classes = self._classes or Counter({0: prompt.n})
        return Statistics(
            name=workload.name,
            source=workload.source,
            requests=prompt.n,
            skipped=getattr(workload, "skipped", 0),
            arrivals=self._arrival_statistics(),
            prompt_tokens=prompt,
            output_tokens=Spread.of(self._output),
            sharing=SharingStatistics(found, self._uses) if found is not None and self._uses is not None else None,
            programs=self._program_statistics(),
            classes={name: classes[index] for index, name in enumerate(workload.classes)},
            groups=Spread.of(self._groups) if self._groups.n else None,
        )

    def _arrival_statistics(self) -> ArrivalStatistics:
        span_s = to_s(self._last_ps - self._first_ps)
        by_10_s = self._timeline.windows(10)
        return ArrivalStatistics(
            of="programs" if self._turns.n else "groups" if self._groups.n else "requests",
            n=self._arrivals,
            span_s=span_s,
            rate=(self._arrivals - 1) / span_s if span_s else None,
            peak_1s=float(self._timeline.busiest),
            peak_60s=float(self._timeline.windows(60).max()) / 60 if span_s >= 60 else None,
            gap_cv=self._between.cv,
            dispersion_10s=float(by_10_s.var() / by_10_s.mean()) if len(by_10_s) >= _TELLING_WINDOWS else None,
            timeline=self._timeline,
            gaps=self._between,
        )

    def _program_statistics(self) -> ProgramStatistics | None:
        if not self._turns.n:
            return None
        tools = {name: self._tools[index] for index, name in enumerate(self._workload.tools)}
        return ProgramStatistics(Spread.of(self._turns), self._gaps, tools)


def _counts(column: Column | None) -> dict[int, int]:
    """Return how often each number >= 0 comes in a column that may not be there."""
    if column is None:
        return {}
    values, counts = np.unique(column[column >= 0], return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))
