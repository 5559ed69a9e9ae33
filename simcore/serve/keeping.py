"""Keeping: what a served run leaves behind: a result folder like that of any other run, or nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from simcore.study.folder import writing
from simcore.study.plan import Cell
from simcore.study.resolve import Resolved

if TYPE_CHECKING:
    from simcore.simulator.settings import Outcome, Sink


@contextmanager
def keeping(
    out: Path | None, resolved: Resolved, cell: Cell, plots: bool, command: Sequence[str]
) -> "Iterator[tuple[Sink, Callable[[Outcome], None]]]":
    """Give the sink of the run, and what makes a result folder of what it wrote; without a folder nothing is kept."""
    from simcore.results import CellWriter, finish_cell
    from simcore.study.report import write_report
    from simcore.study.run import Finished

    if out is None:
        yield _Nowhere(), lambda _: None
        return
    spec = cell.spec
    # Rate, warm-up and claims are of the study's own workload, which is not what came.
    others = {"workload": spec.workload.model_copy(update={"rate": None}), "warm_up": type(spec.warm_up)()}
    spec = spec.model_copy(update={"question": "what came over HTTP", "claims": (), **others})
    with writing(out), TemporaryDirectory(dir=out, prefix=".cell-") as made:
        directory = Path(made)
        sink = CellWriter(directory, classes=("default",))

        def finish(outcome: "Outcome") -> None:
            sink.close()
            if not outcome.arrived:
                return
            finish_cell(
                directory,
                outcome=outcome,
                slo=spec.slo.limits,
                meta={"hash": cell.hash, "workload": "http", "source": "calls from outside", "rate": None},
            )
            write_report(
                out,
                replace(resolved, spec=spec),
                [cell],
                Finished({cell.hash: directory}, {}, 1),
                plots=plots,
                command=command,
                backend=cell.options.backend,
            )

        yield sink, finish


class _Nowhere:
    """A sink that keeps nothing."""

    def requests(self, rows: object) -> None: ...
    def steps(self, rows: object) -> None: ...
    def gaps(self, gaps_ps: object) -> None: ...
    def rollouts(self, rows: object) -> None: ...
    def samples(self, rows: object) -> None: ...
    def iterations(self, rows: object) -> None: ...
    def decisions(self, rows: object) -> None: ...
