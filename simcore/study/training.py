"""Training of a study: a cell whose model learns on the real engine, and the table of how well it does."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.study.plan import Cell

if TYPE_CHECKING:
    from realbackend.learning import Learning
    from simcore.contract import Workload
    from simcore.simulator.settings import Settings


def learning_of(cell: Cell, settings: "Settings", workload: "Workload") -> "Learning":
    """Return what a cell with `real.training` teaches, ready to run."""
    from realbackend.learning import Learning
    from realbackend.training.settings import Training
    from realbackend.training.shape import digits_shape

    backend, spec, rollout = cell.options.backend, cell.spec.real.training, cell.spec.rollout
    assert spec is not None
    assert rollout is not None
    assert backend.device
    how = spec.model_dump(exclude={"layers", "hidden"})
    return Learning(
        settings,
        workload,
        Training(**how, filter=rollout.filter, seed=cell.seed),
        clock="model" if backend.clock == "model" else "measured",
        shape=digits_shape(spec.layers, spec.hidden),
        device=backend.device,
    )


def write_lessons(directory: Path, rows: list[dict[str, Any]]) -> None:
    """Write what a model knew after each training step into the folder of its cell."""
    import numpy as np

    from simcore.results.arrays import column
    from simcore.results.parquet import TableWriter
    from simcore.results.schema import LESSONS

    with TableWriter(directory / "lessons.parquet", LESSONS) as table:
        columns = []
        for each in LESSONS:
            values = [row[each.name] for row in rows]
            kind = np.int64 if each.kind == "int" else np.float64
            numbers = np.array([0 if value is None else value for value in values], kind)
            columns.append(column(numbers, np.array([value is not None for value in values])))
        table.write(columns)


def learned_metrics(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return what a run amounts to: accuracy at its beginning and its end, and the CPU time it took."""
    known = [row["accuracy"] for row in rows if row["accuracy"] is not None]
    return {
        "learned/accuracy_first": known[0],
        "learned/accuracy": known[-1],
        "learned/cpu_s": rows[-1]["cpu_s"],
        "learned/virtual_s": rows[-1]["virtual_s"],
    }
