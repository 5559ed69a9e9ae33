"""Study: a question in a file, changed by `set`, answered by `run`; the command line is a thin layer on it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simcore.study.document import Document
from simcore.study.errors import Problem, StudyError
from simcore.study.folder import default_out, prepare, runs_root, writing
from simcore.study.load import parse_value, read
from simcore.study.plan import Cell, Options, plan
from simcore.study.report import write_report
from simcore.study.results import Results
from simcore.study.run import Engine, Failure, run_cells


class Study:
    """A study file, and what was changed in it since. Never modified: `set` returns another study.

    >>> Study.load("studies/ttft_slo.yaml").set("workload.rate", 8).run()  # doctest: +SKIP
    """

    def __init__(self, document: Document) -> None:
        self._document = document

    @classmethod
    def load(cls, path: Path | str) -> "Study":
        """Read a study file. Raises StudyError if it is not YAML; `validate` says what else is wrong with it."""
        return cls(read(path))

    def set(self, key: str, value: Any) -> "Study":
        """Return the study with `value` at a dotted key, which is then swept no longer.

        `study.set("systems.jsq.router", "least_loaded")` makes the mappings it needs.
        """
        return Study(self._document.set(key, value, f"set('{key}', {value!r})").unswept(key))

    def override(self, assignment: str) -> "Study":
        """Return the study with `key=value` applied, the value read as YAML, as `--set` gives it."""
        key, equals, text = assignment.partition("=")
        place = f"--set {assignment}"
        if not (key and equals):
            raise StudyError([Problem(place, "", "write key=value")])
        try:
            value = parse_value(text)
        except ValueError as error:
            raise StudyError([Problem(place, key, str(error))]) from None
        return Study(self._document.set(key, value, place).unswept(key))

    def with_seeds_from(self, first: int) -> "Study":
        """Return the study with as many seeds as it has, counted from `first`."""
        seeds = self._document.data.get("seeds", 1)
        count = len(seeds) if isinstance(seeds, list) else seeds
        if isinstance(count, bool) or not isinstance(count, int):
            return self
        return Study(self._document.set("seeds", [first + index for index in range(count)], f"--seed {first}"))

    def validate(self) -> None:
        """Check everything, the rows of a trace file included. Raises StudyError with all problems at once."""
        self.plan()

    def plan(self, *, per_iteration: bool = False, iterations: bool = False, decisions: bool = False) -> list[Cell]:
        """Return the cells a run would have, in the order of its results. Raises StudyError."""
        return plan(self._document, Options(per_iteration, iterations, decisions))[1]

    def run(
        self,
        *,
        jobs: int | None = None,
        engine: Engine = "local",
        out: Path | str | None = None,
        per_iteration: bool = False,
        iterations: bool = False,
        decisions: bool = False,
        plots: bool = True,
        quiet: bool = True,
        command: Sequence[str] = (),
    ) -> "Results":
        """Run what is not finished yet and write the results.

        Args:
            jobs: processes; None: one a core.
            engine: "local", or "ray" for the cluster that Ray is connected to.
            out: result folder; None: `<study>-<UTC>` in `$SIMCORE_RUNS`, or in `runs`.
            per_iteration: one event per iteration instead of macro-steps: slow, and the same results.
            iterations: keep the iteration log.
            decisions: keep every fact and action.
            plots: draw the figures.
            quiet: show no progress.
            command: what the user typed, for the provenance.

        Raises StudyError for a study or folder that cannot be used, Interrupted on Ctrl-C, CellsFailed if no cell
        finished. If some failed, the results are those of the others, and `failures` says which.
        """
        resolved, cells = plan(self._document, Options(per_iteration, iterations, decisions))
        root = runs_root()
        folder = Path(out) if out is not None else default_out(root, resolved.spec.study)
        prepare(folder)
        finished = run_cells(cells, root, jobs=jobs, engine=engine, quiet=quiet)
        with writing(folder):
            write_report(folder, resolved, cells, finished, plots=plots, command=command)
        failures = tuple(finished.failures.values())
        if not finished.directories:
            raise CellsFailed(folder, failures)
        return Results(folder, failures, finished.computed)

    def sweep(self, grid: Mapping[str, Sequence[Any]], *, replications: int | None = None, **how: Any) -> "Results":
        """Run the study over a grid {dotted key: values} instead of its own; `how` as in `run`."""
        study = self.set("sweep", {key: list(values) for key, values in grid.items()})
        return (study if replications is None else study.set("seeds", replications)).run(**how)


class CellsFailed(RuntimeError):
    """No cell of a run finished; `failures` says why, `out` holds `failed.json`."""

    def __init__(self, out: Path, failures: tuple[Failure, ...]) -> None:
        super().__init__(f"no cell finished: {failures[0].reason}")
        self.out = out
        self.failures = failures
