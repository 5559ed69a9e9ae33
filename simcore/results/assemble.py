"""Assemble: the finished cells of a study become its result folder; equal cells, equal bytes (but `provenance`)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from simcore.results.arrays import column, names
from simcore.results.breaking import RATE, TARGET, breaking_points
from simcore.results.cell import CellResult, read_cell, write_json
from simcore.results.claims import Claim, check_claims
from simcore.results.parquet import TableWriter, row_groups
from simcore.results.schema import FILES, IDENTITY
from simcore.results.stats import comparisons, point_text
from simcore.results.vllm import vllm_result

SUMMARY_SCHEMA = "simcore.summary/1"


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What the summary says about the study.

    Args:
        name, question: from the study file.
        backend, clock: what it ran on.
        seeds: seeds of the replications, in order.
        slo: bounds in milliseconds, as `slo_text` writes them.
        model: name of the model served.
        request_rate: rate of the workload where the sweep does not set it; None for a replayed trace at its own pace.
        burstiness: shape of the gamma distribution of gaps; 1 is Poisson.
        target: share of requests within the SLO that defines the breaking point.
        claims: what is said of the systems, to be checked.
    """

    name: str
    question: str
    backend: str = "sim"
    clock: str = "model"
    seeds: tuple[int, ...] = (0,)
    slo: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    request_rate: float | None = None
    burstiness: float = 1.0
    target: float = TARGET
    claims: tuple[Claim, ...] = ()


def assemble(
    out: Path, cells: Sequence[CellResult], *, study: StudyFacts, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """Write `summary.json`, the Parquet files and `vllm/*.json` of the cells into `out`, in the order given.

    Returns the summary. The first cell's system is the one others are compared with.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        _merge(out / f"{name}.parquet", cells)
    runs = [_run(cell) for cell in cells]
    breaking = breaking_points(runs, target=study.target)
    summary = {
        "schema": SUMMARY_SCHEMA,
        "provenance": dict(provenance),
        "study": study.name,
        "question": study.question,
        "backend": study.backend,
        "clock": study.clock,
        "seeds": list(study.seeds),
        "slo": dict(study.slo),
        "runs": runs,
        "comparisons": list(comparisons(runs)),
        "breaking": breaking,
        "claims": check_claims(study.claims, runs, breaking),
    }
    _write_vllm(out / "vllm", runs, study)
    write_json(out / "summary.json", summary)
    return summary


def _run(cell: CellResult) -> dict[str, Any]:
    found = read_cell(cell.directory)
    run = {
        "system": cell.system,
        "point": dict(cell.point),
        "seed": cell.seed,
        "state": found["state"],
        "metrics": found["metrics"],
    }
    run |= {name: found[name] for name in ("classes", "link_bytes") if found.get(name)}
    return run | {name: found["meta"][name] for name in ("cost_warning", "token_hash") if name in found["meta"]}


def _merge(path: Path, cells: Sequence[CellResult]) -> None:
    """Write one file of all cells that have it, each row with the run it belongs to; none if no cell has it."""
    sources = [(cell, cell.directory / path.name) for cell in cells]
    present = [(cell, source) for cell, source in sources if source.exists()]
    if not present:
        path.unlink(missing_ok=True)
        return
    with TableWriter(path, (*IDENTITY, *FILES[path.stem])) as table:
        for cell, source in present:
            for group in row_groups(source):
                table.write([*_identity(cell, group.num_rows), *group.columns])


def _identity(cell: CellResult, rows: int) -> list[Any]:
    zeros = np.zeros(rows, np.int64)
    return [names(zeros, [cell.system]), column(zeros + cell.seed), names(zeros, [point_text(cell.point)])]


def _write_vllm(folder: Path, runs: Sequence[Mapping[str, Any]], study: StudyFacts) -> None:
    folder.mkdir(exist_ok=True)
    for stale in sorted(folder.glob("*.json")):
        stale.unlink()
    for run, stem in zip(runs, file_stems(runs), strict=True):
        rate = run["point"].get(RATE, study.request_rate)
        result = vllm_result(run, model=study.model, request_rate=rate, burstiness=study.burstiness, label=study.name)
        write_json(folder / f"{stem}.json", result)


def file_stems(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a file name for each run, without ending; all different.

    >>> file_stems([{"system": "round_robin", "point": {"workload.rate": 8}, "seed": 0}])
    ['round_robin-rate_8-seed_0']
    """
    stems: list[str] = []
    for run in runs:
        parts = [f"{key.rsplit('.', 1)[-1]}_{value}" for key, value in sorted(run["point"].items())]
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", "-".join([run["system"], *parts, f"seed_{run['seed']}"]))
        taken = stems.count(plain)
        stem = plain if not taken else f"{plain}-{len(stems)}"
        stems.append(stem)
    return stems
