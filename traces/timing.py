"""Timing: when generated requests come, how many they are, and which seeds they are drawn with."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from numpy.random import Generator

from simcore.contract.traffic import Column
from traces import arrivals as arrival_kinds
from traces.arrivals import NEVER_PS, ArrivalProcess, instants
from traces.draws import Purpose, blocks
from traces.kinds import read_kind
from traces.parameters import Parameters


@dataclass(frozen=True)
class Timing:
    """An arrival process at a mean rate per second (infinite when all come at once), and how many requests to draw."""

    arrivals: ArrivalProcess
    rate: float
    requests: int
    seed: int
    replication: int

    @classmethod
    def read(
        cls, arrivals: object, rate: object, requests: object, seed: object, replication: object, problems: list[str]
    ) -> "Timing | None":
        """Take what a user gave; None if there is no arrival process, and `problems` then say why."""
        process = read_kind("arrivals", arrivals, arrival_kinds.KINDS, problems)
        given = {"rate": rate, "requests": requests, "seed": seed, "replication": replication}
        parameters = Parameters("", given, problems)
        count = parameters.integer("requests", least=1)
        per_second = inf
        if process is None or process.has_rate:
            per_second = parameters.positive("rate")
        elif rate is not None:
            parameters.add("rate", f"must be left out when all requests arrive at once, got {rate!r}")
        seeds = parameters.integer("seed", least=0), parameters.integer("replication", least=0)
        return cls(process, per_second, count, *seeds) if process is not None else None

    def generators(self, purpose: Purpose, *part: int) -> Iterator[Generator]:
        """Yield the generators of a purpose, block by block."""
        return blocks(self.seed, self.replication, purpose, *part)

    def instants(self) -> Iterator[Column]:
        """Yield blocks of [BLOCK] arrival times in picoseconds, from 0 on."""
        return instants(self.arrivals, self.rate, self.generators("arrivals"), self.generators("modulation"))

    def check_span(self, at_ps: Column) -> None:
        """Raise ValueError if the last of these times is beyond the clock."""
        if at_ps[-1] >= NEVER_PS:
            raise ValueError(f"rate: {self.requests:,} requests must arrive within 106 days, got {self.rate:g} req/s")
