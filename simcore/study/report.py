"""Report: the finished cells of a run become the result folder, with its pictures and its page."""

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore import __version__
from simcore.study.backends import SIMULATOR, Backend, real_provenance
from simcore.study.folder import FAILED, RESOLVED, TIMELINES, resolved_text
from simcore.study.plan import Cell, code_hash, trace_provenance
from simcore.study.resolve import Resolved
from simcore.study.run import Finished

if TYPE_CHECKING:
    from simcore.results import CellResult

PACKAGES = ("simpy", "numpy", "scipy", "pandas", "pyarrow")


def write_report(
    out: Path,
    resolved: Resolved,
    cells: Sequence[Cell],
    finished: Finished,
    *,
    plots: bool,
    timeline: bool = False,
    command: Sequence[str],
    backend: Backend = SIMULATOR,
) -> None:
    """Write the results of the finished cells into `out`, in the order of the plan, and why the others failed.

    plots: draw the figures, and write the page that shows them. timeline: write a Perfetto trace of each run.
    """
    from simcore.report import write_html
    from simcore.results import CellResult, StudyFacts, assemble
    from simcore.results.cell import slo_text, write_json
    from simcore.results.plots import draw_plots

    (out / RESOLVED).write_text(resolved_text(resolved), encoding="utf-8")
    if finished.failures:
        failed = [
            {"system": cell.system, "point": dict(cell.point), "seed": cell.seed, "traceback": failure.traceback}
            for cell in cells
            if (failure := finished.failures.get(cell.hash)) is not None
        ]
        write_json(out / FAILED, failed)
    present = [
        CellResult(cell.system, cell.point, cell.seed, finished.directories[cell.hash])
        for cell in cells
        if cell.hash in finished.directories
    ]
    if not present:
        return
    spec = resolved.spec
    facts = StudyFacts(
        name=spec.study,
        question=" ".join(spec.question.split()),
        seeds=spec.seeds,
        slo=slo_text(spec.slo.limits, spec.slo.class_limits),
        model=resolved.model.name,
        request_rate=spec.workload.rate,
        target=spec.slo.attainment,
        backend=backend.name,
        clock=backend.clock,
        claims=tuple(claim.as_claim() for claim in spec.claims),
    )
    made_by = provenance(resolved, command)
    if backend.name == "real":
        made_by["real"] = real_provenance(spec.real, backend)
    summary = assemble(out, present, study=facts, provenance=made_by)
    if timeline:
        _write_timelines(out / TIMELINES, summary["runs"], present)
    if plots:
        draw_plots(out)
        write_html(out)


def _write_timelines(folder: Path, runs: Sequence[Mapping[str, Any]], cells: Sequence["CellResult"]) -> None:
    from simcore.results.assemble import file_stems
    from simcore.results.timeline import write_timeline

    folder.mkdir()
    for stem, cell in zip(file_stems(runs), cells, strict=True):
        write_timeline(cell.directory, folder / f"{stem}.pftrace")


def provenance(resolved: Resolved, command: Sequence[str]) -> dict[str, Any]:
    """Return what made the results: versions, machine, time, command. The one part that differs from run to run."""
    return {
        "simcore": __version__,
        "code": code_hash(),
        "finished": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "command": list(command),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "hardware_error": resolved.hardware.error,
        "profile": None if resolved.profile is None else dict(resolved.profile.described),
        **({"trace": trace} if (trace := trace_provenance(resolved.trace_file)) else {}),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
