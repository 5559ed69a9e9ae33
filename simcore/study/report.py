"""Report: the finished cells of a run become the result folder, with its pictures and its page."""

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from simcore import __version__
from simcore.study.backends import SIMULATOR, Backend, real_provenance, sm_partition
from simcore.study.folder import FAILED, RESOLVED, resolved_text
from simcore.study.plan import Cell, code_hash, trace_provenance
from simcore.study.resolve import Resolved
from simcore.study.run import Finished

PACKAGES = ("simpy", "numpy", "scipy", "pandas", "pyarrow")


def write_report(
    out: Path,
    resolved: Resolved,
    cells: Sequence[Cell],
    finished: Finished,
    *,
    plots: bool,
    command: Sequence[str],
    backend: Backend = SIMULATOR,
) -> None:
    """Write the results of the finished cells into `out`, in the order of the plan, and why the others failed.

    plots: draw the figures, and write the page that shows them.
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
        if any(cell.mechanisms.sm_split for cell in cells):
            made_by["real"]["sm_partition"] = sm_partition(backend)
    assemble(out, present, study=facts, provenance=made_by)
    if plots:
        draw_plots(out)
        write_html(out)


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
