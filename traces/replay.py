"""Replay: the requests of a trace file, as they came or at another mean rate.

A replay has no randomness: seeds and replications do not change it, so replications of a replay are one run.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from simcore.contract.traffic import Arrivals, Patience
from simcore.contract.units import to_s
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
    classes: tuple[str, ...] = ("default",)
    priorities: tuple[int, ...] = (0,)
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
        return f"{self.name} ({self.survey.format.name} trace, sha256 {self.survey.sha256})"

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
