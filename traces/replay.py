"""Replay: the requests of a trace file, as they came or at another mean rate.

A replay has no randomness: seeds and replications do not change it, so replications of a replay are one run.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from simcore.contract.traffic import Arrivals, Patience
from simcore.contract.units import to_s
from traces.problems import skipped_in_words
from traces.survey import Survey

_MAX_PS = 2.0**63 - 2.0**10


@dataclass(frozen=True, eq=False)
class Replay:
    """`Workload` of a surveyed file. Arrival times are stretched by `stretch`: burstiness stays, the rate moves.

    Only arrivals move: how long people think and tools run between the turns of a program has nothing to do with load.
    """

    survey: Survey
    rate: float
    """Mean arrival rate, (n - 1) / (last - first), after stretching; infinite when all arrive at once."""
    stretch: float = 1.0
    tools: tuple[str, ...] = ()
    patience: tuple[Patience, ...] = ()

    @classmethod
    def at(cls, survey: Survey, rate: float | None) -> "Replay":
        """Return the replay at a mean rate in requests per second (None: as recorded); ValueError if it has none."""
        if rate is None:
            return cls(survey, survey.rate)
        if not survey.span_ps:
            raise ValueError(
                f"rate: {survey.path} has {survey.requests} request(s), all at one time: no rate to scale, got {rate:g}"
            )
        stretch = survey.rate / rate
        if survey.span_ps * stretch > _MAX_PS:
            raise ValueError(f"rate: must stretch the trace to at most 106 days, got {rate:g} req/s")
        return cls(survey, rate, stretch)

    @property
    def name(self) -> str:
        return self.survey.path.name

    @property
    def source(self) -> str:
        return source_of(self.survey)

    @property
    def classes(self) -> tuple[str, ...]:
        """Those that its rows name."""
        return self.survey.classes

    @property
    def priorities(self) -> tuple[int, ...]:
        """The same for all."""
        return (0,) * len(self.classes)

    @property
    def skipped(self) -> int:
        """Bad rows left out."""
        return self.survey.skipped

    @property
    def requests(self) -> int:
        """Number of requests."""
        return self.survey.requests

    @property
    def lasts_s(self) -> float:
        """Time until the last request arrives."""
        return to_s(self.survey.span_ps) * self.stretch

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the requests in order; the first arrives at 0."""
        for piece in self.survey.pieces():
            if self.stretch == 1.0:
                yield piece
            else:
                yield replace(piece, at_ps=np.rint(piece.at_ps * self.stretch).astype(np.int64))


def source_of(found: Survey) -> str:
    """Return what names the file: its name and format, its content's hash, and how many of its rows are left out."""
    parts = [f"{found.format.name} trace", *skipped_in_words(found.skipped), f"sha256 {found.sha256}"]
    return f"{found.path.name} ({', '.join(parts)})"
