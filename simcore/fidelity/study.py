"""Study: the fidelity of a whole study, measured, printed and left in a folder."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simcore import __version__
from simcore.cost.fit import TooFewIterations
from simcore.fidelity.bench import PROBE_EVERY, RealClock
from simcore.fidelity.measure import Compared, Say, measure
from simcore.fidelity.plots import draw
from simcore.fidelity.table import lines
from simcore.results.cell import write_json
from simcore.study.api import Study
from simcore.study.backends import Device, choose, real_provenance
from simcore.study.cell import real_settings
from simcore.study.errors import Problem, StudyError
from simcore.study.folder import OTHER_FILES, default_out, runs_root, writing
from simcore.study.plan import Cell

SCHEMA = "simcore.fidelity/1"
RESULT = "fidelity.json"

_ON_CPU: tuple[RealClock, ...] = ("model", "measured")
_ON_GPU: tuple[RealClock, ...] = (*_ON_CPU, "wall")


@dataclass(frozen=True, slots=True)
class Fidelity:
    """What was found, in words, and where it lies; equal: under the model clock all was as simulated."""

    lines: tuple[str, ...]
    equal: bool
    out: Path


def compare_study(
    study: Study,
    *,
    device: Device | None,
    clock: RealClock | None,
    repeats: int,
    each: bool,
    out: Path | None,
    plots: bool,
    say: Say,
    command: Sequence[str],
) -> Fidelity:
    """Measure the first system at the first point, or each at each, and write fidelity.json and figures.

    clock: None: model and measured, on a GPU wall too. Raises StudyError.
    """
    backend = choose("real", device, "measured")
    clocks = (clock,) if clock else _ON_GPU if backend.device == "cuda" else _ON_CPU
    cells = study.plan(backend="real", device=backend.device or None, clock="measured")
    asked = _firsts(cells) if each else cells[:1]
    name = cells[0].spec.study
    folder = out if out is not None else default_out(runs_root(), f"{name}-fidelity")
    _prepare(folder)
    compared = _compare(asked, clocks, repeats, say)
    real = real_provenance(cells[0].spec.real, backend)
    provenance = {
        "simcore": __version__,
        "finished": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "command": list(command),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "probe_every": PROBE_EVERY,
        "real": real,
    }
    content = {"schema": SCHEMA, "provenance": provenance, "study": name, "runs": [run.as_dict() for run in compared]}
    with writing(folder):
        write_json(folder / RESULT, content)
        if plots:
            _draw(compared, folder)
    return Fidelity(tuple(_said(compared, real, folder)), all(map(_equal, compared)), folder)


def _firsts(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cell of the first seed of each system and point."""
    return [cell for cell in cells if cell.seed == cell.spec.seeds[0]]


def _compare(cells: Sequence[Cell], clocks: Sequence[RealClock], repeats: int, say: Say) -> list[Compared]:
    from realbackend.run import Bench

    try:
        bench = Bench(real_settings(cells[0]), probe_every=PROBE_EVERY)
    except ValueError as error:
        raise StudyError([Problem("real", "", str(error))]) from None
    try:
        return [measure(bench, cell, clocks, repeats, say) for cell in cells]
    except TooFewIterations as error:
        raise StudyError([Problem("workload", "", f"{error}; give it more requests")]) from None


def _equal(compared: Compared) -> bool:
    """Whether decisions were as simulated, and tokens, where arithmetic is exact enough to promise them."""
    found = compared.equality
    if found is None:
        return True
    exact = (compared.cell.spec.real.dtype or "fp32") == "fp32" and compared.cell.options.backend.device == "cpu"
    return found.difference is None and not (exact and found.others)


def _said(compared: Sequence[Compared], real: dict[str, Any], folder: Path) -> list[str]:
    said = [f"{real['weights']} {real['dtype']} on {real['device']} ({real['device_name']}), torch {real['torch']}"]
    for run in compared:
        said += ["", *lines(run)]
    if real["device"] == "cpu" and any(timed.clock == "wall" for run in compared for timed in run.timed):
        said += ["", "wall time on a CPU that others use is theirs as well: not comparable"]
    return [*said, "", f"{folder / RESULT}"]


def _draw(compared: Sequence[Compared], folder: Path) -> None:
    for number, run in enumerate(compared):
        place = folder / "plots" if len(compared) == 1 else folder / "plots" / str(number)
        for timed in run.timed:
            draw(timed, f"{run.cell.label}, {timed.clock} clock", place)


def _prepare(folder: Path) -> None:
    """Make the folder. Raises StudyError if it holds something else."""
    with writing(folder):
        if folder.exists() and not folder.is_dir():
            raise StudyError([Problem(str(folder), "", "a file is in the way of the result folder")])
        if folder.is_dir() and any(folder.iterdir()) and not (folder / RESULT).is_file():
            raise StudyError([Problem(str(folder), "", OTHER_FILES)])
        folder.mkdir(parents=True, exist_ok=True)
