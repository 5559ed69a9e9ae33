"""Cell: one finished run (system, sweep point, seed) on disk: its rows, and `cell.json` with what they amount to."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.results.columns import WarmUp
from simcore.results.metrics import cell_metrics
from simcore.results.parquet import row_count
from simcore.results.spill import gaps_path, steps_path

if TYPE_CHECKING:
    from simcore.simulator.settings import Outcome

CELL_SCHEMA = "simcore.cell/1"


@dataclass(frozen=True, slots=True)
class CellResult:
    """Where a finished cell lies and which run of the study it is.

    Args:
        system: name of the system.
        point: {dotted key: value} of the sweep point; empty without a sweep.
        seed: seed of the run.
        directory: holds the rows and `cell.json`.
    """

    system: str
    point: Mapping[str, Any]
    seed: int
    directory: Path


def finish_cell(
    directory: Path,
    *,
    outcome: "Outcome",
    slo: Mapping[str, float],
    warm_up_s: float = 0.0,
    warm_up_requests: int = 0,
    meta: Mapping[str, Any],
) -> dict[str, Any]:
    """Compute the metrics of a cell whose `CellWriter` is closed, and write `cell.json` last, in one stroke.

    A cell is finished when `cell.json` is there. Steps and gaps are only needed here and are deleted.

    Args:
        outcome: totals of the run; its counters are repeated among the metrics.
        slo: bounds in milliseconds by `SLO_KEYS`; empty: no goodput and no attainment.
        warm_up_s: requests that arrive before this date do not count.
        warm_up_requests: nor do the first so many.
        meta: what made the cell, JSON; kept as it is.

    Returns what is in `cell.json`: {schema, state, metrics, outcome, slo, warm_up, meta}. Raises ValueError for an
    unknown SLO key, a negative bound or warm-up.
    """
    rows = row_count(directory / "requests.parquet")
    assert rows == outcome.arrived, f"{outcome.arrived} requests arrived, {rows} rows written"
    metrics, state = cell_metrics(directory, slo, WarmUp(warm_up_s, warm_up_requests))
    counters = {name: outcome.counters[name] for name in sorted(outcome.counters)}
    cell = {
        "schema": CELL_SCHEMA,
        "state": state,
        "metrics": {**counters, **metrics},
        "outcome": asdict(outcome),
        "slo": dict(slo),
        "warm_up": {"seconds": warm_up_s, "requests": warm_up_requests},
        "meta": dict(meta),
    }
    write_json(directory / "cell.json", cell)
    for path in (steps_path(directory), gaps_path(directory)):
        path.unlink()
    return cell


def read_cell(directory: Path) -> dict[str, Any]:
    """Return the content of `cell.json`."""
    cell: dict[str, Any] = json.loads((directory / "cell.json").read_text())
    return cell


def write_json(path: Path, content: Any) -> None:
    """Write JSON so that the file is there whole or not at all. Raises ValueError for a NaN or an infinity."""
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    os.replace(partial, path)
