"""Cell: one finished run (system, sweep point, seed) on disk: its rows, and `cell.json` with what they amount to."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from simcore.contract import PS_PER_S
from simcore.results.columns import WarmUp
from simcore.results.kv_use import WAITED, handoff_waits
from simcore.results.metrics import cell_metrics
from simcore.results.parquet import row_count
from simcore.results.rollouts import rollout_metrics
from simcore.results.slo import Slo
from simcore.results.spill import gaps_path, steps_path

if TYPE_CHECKING:
    from simcore.simulator.settings import Outcome


@dataclass(frozen=True, slots=True)
class Training:
    """What the metrics of a rollout study need to know: training steps wanted, and on what they were generated.

    warm_up_steps: first steps that do not count.
    """

    steps: int
    instances: int
    gpus: int
    warm_up_steps: int = 0


CELL_SCHEMA = "simcore.cell/2"
LINK_BYTES = "bytes_"
"""What the counters of bytes carried begin with; the name of the link follows."""
NO_LIMITS: Mapping[str, Mapping[str, float]] = MappingProxyType({})


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
    class_slo: Mapping[str, Mapping[str, float]] = NO_LIMITS,
    classes: Sequence[str] = ("default",),
    roles: Sequence[str] = (),
    training: Training | None = None,
    learned: Mapping[str, float] = MappingProxyType({}),
    meta: Mapping[str, Any],
) -> dict[str, Any]:
    """Compute the metrics of a cell whose `CellWriter` is closed, and write `cell.json` last, in one stroke.

    A cell is finished when `cell.json` is there. Steps and gaps are only needed here and are deleted.

    Args:
        outcome: totals of the run; its counters are repeated among the metrics, those of links' bytes beside them.
        slo: bounds in milliseconds by `SLO_KEYS`; without any, there is no goodput and no attainment.
        warm_up_s: requests that arrive before this date do not count.
        warm_up_requests: nor do the first so many.
        class_slo: bounds of the classes that have their own, complete, by name.
        classes: names of the request classes, by index, as the `CellWriter` got them.
        roles: of the instances, where KV use by role is wanted.
        training: of a study with `rollout`; None: of any other.
        learned: what a model that was trained has come to; more metrics.
        meta: what made the cell, JSON; kept as it is.

    Returns what is in `cell.json`: {schema, state, metrics, classes, link_bytes, outcome, slo, warm_up, meta}. Raises
    ValueError for an unknown SLO key or class, a negative bound or warm-up.
    """
    rows = row_count(directory / "requests.parquet")
    assert rows == outcome.arrived, f"{outcome.arrived} requests arrived, {rows} rows written"
    promised = Slo(slo, class_slo, classes)
    found = cell_metrics(directory, promised, WarmUp(warm_up_s, warm_up_requests), classes, roles)
    counted = {name: outcome.counters[name] for name in sorted(outcome.counters)}
    counters = {name: count for name, count in counted.items() if not name.startswith((LINK_BYTES, *WAITED))}
    link_bytes = {name.removeprefix(LINK_BYTES): n for name, n in counted.items() if name.startswith(LINK_BYTES)}
    waits = handoff_waits(counted, outcome.end_ps / PS_PER_S)
    state, metrics = found.state, found.metrics
    if training is not None:
        rollouts = directory / "rollouts.parquet"
        metrics = metrics | rollout_metrics(
            rollouts, instances=training.instances, gpus=training.gpus, warm_up_steps=training.warm_up_steps
        )
        state = "BACKLOGGED" if counters.get("rollout_starved") else "STABLE"
    cell = {
        "schema": CELL_SCHEMA,
        "state": state,
        "metrics": {
            **counters,
            **outcome.measured,
            **waits,
            "prefix_hit_rate": _hit_rate(counters),
            **metrics,
            **learned,
        },
        "classes": found.classes,
        "link_bytes": link_bytes,
        "outcome": asdict(outcome),
        "slo": slo_text(slo, class_slo),
        "warm_up": {"seconds": warm_up_s, "requests": warm_up_requests},
        "meta": dict(meta),
    }
    write_json(directory / "cell.json", cell)
    for path in (steps_path(directory), gaps_path(directory)):
        path.unlink()
    return cell


def _hit_rate(counters: Mapping[str, int]) -> float | None:
    """Return the share of the prompt tokens looked up that a prefix cache held; None if none was looked up."""
    asked = counters.get("prefix_query_tokens", 0)
    return counters["prefix_hit_tokens"] / asked if asked else None


def slo_text(slo: Mapping[str, float], class_slo: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Return limits as they stand in JSON: `{ttft_ms: 500, classes: {interactive: {ttft_ms: 200}}}`."""
    of_class = {name: dict(limits) for name, limits in class_slo.items()}
    return {**slo, **({"classes": of_class} if of_class else {})}


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
