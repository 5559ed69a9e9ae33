"""Measure: a study on the real engine and in the simulator, laid side by side, clock by clock."""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from simcore.contract import Workload
from simcore.fidelity.bench import Bench, RealClock
from simcore.fidelity.latency_errors import medians, worst
from simcore.fidelity.model_clock import Equality, equality
from simcore.fidelity.repetition import Repetition, Seeds, Traffic, repeat
from simcore.simulator.settings import Settings
from simcore.study.cell import settings_of
from simcore.study.plan import Cell
from simcore.study.traffic import open_workload

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Timed:
    """The repetitions under one clock, and the load average of the machine at the end of each."""

    clock: RealClock
    repetitions: tuple[Repetition, ...]
    loads: tuple[float, ...]

    @property
    def errors(self) -> dict[str, float]:
        """Median over the repetitions of the error of each statistic."""
        return medians([each.latency for each in self.repetitions])

    @property
    def worst(self) -> dict[str, float]:
        return worst([each.latency for each in self.repetitions])

    @property
    def dynamics(self) -> dict[str, float]:
        """The part of `errors` that is not the cost model's."""
        return medians([each.dynamics for each in self.repetitions])

    def as_dict(self) -> dict[str, Any]:
        """Return what stands in fidelity.json; latencies of single requests do not."""
        repetitions = []
        for each, load in zip(self.repetitions, self.loads, strict=True):
            content = asdict(replace(each, measured={}, simulated={}))
            del content["measured"], content["simulated"]
            repetitions.append({"load_average": load, **content})
        errors = {"median_error": self.errors, "worst_error": self.worst, "median_dynamics_error": self.dynamics}
        return {"clock": self.clock, **errors, "repetitions": repetitions}


@dataclass(frozen=True, slots=True)
class Compared:
    """One system at one point of a study.

    same_requests: other seeds do not give other requests, as a trace is replayed.
    """

    cell: Cell
    requests: int
    same_requests: bool
    equality: Equality | None
    timed: tuple[Timed, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return what stands in fidelity.json."""
        return {
            "system": self.cell.system,
            "point": dict(self.cell.point),
            "seed": self.cell.seed,
            "requests": self.requests,
            "trained_on_the_same_requests": self.same_requests,
            "model": None if self.equality is None else asdict(self.equality),
            "timed": [each.as_dict() for each in self.timed],
        }


def measure(bench: Bench, cell: Cell, clocks: Sequence[RealClock], repeats: int, say: Say) -> Compared:
    """Run a cell by each of the clocks, and say what is being done."""

    def traffic(seed: int) -> tuple[Settings, Workload]:
        seeded = replace(cell, seed=seed)
        workload = open_workload(seeded.spec, seeded.trace_file, seed)
        return settings_of(seeded, workload.lasts_s), workload

    equal = None
    if "model" in clocks:
        say(f"{cell.label}: model clock")
        equal = equality(bench, *traffic(cell.seed))
    timed = tuple(_timed(bench, cell, clock, traffic, repeats, say) for clock in clocks if clock != "model")
    opened = open_workload(cell.spec, cell.trace_file, cell.seed)
    return Compared(cell, opened.requests, cell.trace_file is not None, equal, timed)


def _timed(
    bench: Bench,
    cell: Cell,
    clock: RealClock,
    traffic: Traffic,
    repeats: int,
    say: Say,
) -> Timed:
    repetitions, loads = [], []
    for number in range(repeats):
        say(f"{cell.label}: {clock} clock, {number + 1} of {repeats}")
        # Far from the seeds of the study, so that nothing is trained on what is tested.
        outer = cell.seed + 1_000_000 + 2 * number
        repetitions.append(repeat(bench, clock, traffic, Seeds(outer, cell.seed + number, outer + 1)))
        loads.append(round(os.getloadavg()[0], 2))
    return Timed(clock, tuple(repetitions), tuple(loads))
