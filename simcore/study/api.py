"""Study: a question in a file, changed by `set`, answered by `run`; the command line is a thin layer on it."""

import reprlib
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.study.backends import ClockName, Device, Name, choose
from simcore.study.document import Document
from simcore.study.dump import yaml_text
from simcore.study.errors import Problem, SaysItAll, StudyError, unknown
from simcore.study.folder import FAILED, default_out, prepare, runs_root, writing
from simcore.study.load import parse_value, read
from simcore.study.notebook import study_html
from simcore.study.plan import Cell, Options, plan
from simcore.study.report import write_report
from simcore.study.results import Results
from simcore.study.run import Engine, Failure, run_cells
from simcore.study.values import plain

if TYPE_CHECKING:
    from simcore.capacity import Capacity
    from simcore.simulator.settings import Outcome


class Study:
    """A study file, and what was changed in it since. Never modified: `set` returns another study.

    >>> Study.load("studies/ttft_slo.yaml").set("workload.rate", 8).run()  # doctest: +SKIP

    `print(study)` gives it as YAML; a notebook shows it so.
    """

    def __init__(self, document: Document) -> None:
        self._document = document

    @classmethod
    def load(cls, path: Path | str) -> "Study":
        """Read a study file. Raises StudyError if it is not YAML; `validate` says what else is wrong with it."""
        return cls(read(path))

    @classmethod
    def of(cls, data: Mapping[str, Any], name: str) -> "Study":
        """Return the study that a mapping is; `name` stands for its file in messages."""
        return cls(Document(name, Path(), dict(data), {(): name}))

    def set(self, key: str, value: Any) -> "Study":
        """Return the study with `value` at a dotted key, which is then swept no longer.

        `study.set("systems.jsq.router", "least_loaded")` makes the mappings it needs; `study.set("sweep.workload.rate",
        [60, 70])` sweeps a key. Numbers and lists may be NumPy's. Raises StudyError for what no file could hold.
        """
        place = f"set('{key}', {reprlib.repr(value)})"
        return Study(self._document.set(key, _plain(value, place, key), place).unswept(key))

    def only(self, *systems: str) -> "Study":
        """Return the study with these of its systems; the first is the one the others are compared with."""
        there = self._document.data.get("systems")
        known = list(there) if isinstance(there, dict) else []
        place = f"only({', '.join(map(repr, systems))})"
        wrong = [Problem(place, "systems", unknown("system", name, known)) for name in systems if name not in known]
        if wrong or not systems:
            raise StudyError(wrong or [Problem(place, "systems", f"name one or more of {', '.join(known)}")])
        return Study(self._document.only("systems", systems, place))

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

    def plan(
        self,
        *,
        backend: Name = "sim",
        device: Device | None = None,
        clock: ClockName | None = None,
        per_iteration: bool = False,
        iterations: bool = False,
        decisions: bool = False,
    ) -> list[Cell]:
        """Return the cells a run would have, in the order of its results. Raises StudyError."""
        chosen = choose(backend, device, clock)
        return plan(self._document, Options(per_iteration, iterations, decisions, chosen))[1]

    def run(
        self,
        *,
        backend: Name = "sim",
        device: Device | None = None,
        clock: ClockName | None = None,
        jobs: int | None = None,
        engine: Engine = "local",
        out: Path | str | None = None,
        per_iteration: bool = False,
        iterations: bool = False,
        decisions: bool = False,
        timeline: bool = False,
        plots: bool = True,
        quiet: bool = True,
        command: Sequence[str] = (),
    ) -> "Results":
        """Run what is not finished yet and write the results.

        Args:
            backend: "sim", or "real" for engines that compute; what of the study changes then is in its `real`.
            device: of the real engine; None: a GPU if there is one.
            clock: "model", "measured" or "wall"; None: model for the simulator, wall on a GPU, measured on a CPU.
            jobs: processes; None: one a core. Runs that measure the machine have it for themselves.
            engine: "local", or "ray" for the cluster that Ray is connected to.
            out: result folder; None: `<study>-<UTC>` in `$SIMCORE_RUNS`, or in `runs`.
            per_iteration: one event per iteration instead of macro-steps: slow, and the same results.
            iterations: keep the iteration log.
            decisions: keep every fact and action.
            timeline: write a Perfetto trace of each run; keeps decisions, too.
            plots: draw the figures.
            quiet: show no progress.
            command: what the user typed, for the provenance.

        Raises StudyError for a study or folder that cannot be used, Interrupted on Ctrl-C, CellsFailed if no cell
        finished. If some failed, the results are those of the others, `failures` says which, and a warning that there
        are some.
        """
        chosen = choose(backend, device, clock)
        if timeline:
            _need_perfetto()
        resolved, cells = plan(self._document, Options(per_iteration, iterations, decisions or timeline, chosen))
        root = runs_root()
        folder = Path(out) if out is not None else default_out(root, resolved.spec.study)
        prepare(folder)
        finished = run_cells(cells, root, jobs=1 if chosen.alone else jobs, engine=engine, quiet=quiet)
        with writing(folder):
            write_report(
                folder, resolved, cells, finished, plots=plots, timeline=timeline, command=command, backend=chosen
            )
        failures = tuple(finished.failures.values())
        if not finished.directories:
            raise CellsFailed(folder, failures)
        if failures and not command:
            _warn_of(failures)
        return Results(folder, failures, finished.computed)

    def sweep(self, grid: Mapping[str, Sequence[Any]], *, replications: int | None = None, **how: Any) -> "Results":
        """Run the study over a grid {dotted key: values} instead of its own; `how` as in `run`.

        `replications` is the number of seeds; None: as in the study.
        """
        document = self._document.set("sweep", _plain(grid, "sweep(…)", ""), "sweep(…)")
        if replications is not None:
            document = document.set("seeds", replications, "sweep(…)")
        return Study(document).run(**how)

    def capacity(self, vary: str = "workload.rate", **how: Any) -> "Capacity":
        """Find how far a key goes within the SLO, system by system; `how` as in `simcore.capacity.find_capacity`."""
        from simcore.capacity import find_capacity

        return find_capacity(self._document, vary, **how)

    def serve(self, **how: Any) -> "Outcome":
        """Answer requests over HTTP until Ctrl-C; `how` as in `simcore.serve.serve_study`. Raises StudyError."""
        from simcore.serve import serve_study

        return serve_study(self._document, **how)

    def __str__(self) -> str:
        return yaml_text(self._document.data)

    def __repr__(self) -> str:
        return f"<Study {self._document.data.get('study', '')}, from {self._document.name}>"

    def _repr_html_(self) -> str:
        return study_html(self._document.data)


class CellsFailed(SaysItAll, RuntimeError):
    """No cell of a run finished; `failures` says why, `out` holds `failed.json`."""

    def __init__(self, out: Path, failures: tuple[Failure, ...]) -> None:
        super().__init__(f"no cell finished: {failures[0].reason}; tracebacks in {out / FAILED}")
        self.out = out
        self.failures = failures


def _plain(value: Any, place: str, key: str) -> Any:
    try:
        return plain(value)
    except ValueError as error:
        raise StudyError([Problem(place, key, str(error))]) from None


def _need_perfetto() -> None:
    from importlib.util import find_spec

    if find_spec("perfetto") is None:
        raise StudyError([Problem("--timeline", "", "needs perfetto: pip install 'simcore[timeline]'")])


def _warn_of(failures: tuple[Failure, ...]) -> None:
    """Warn where the user's code called, not where ours did."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "simcore":
        level, frame = level + 1, frame.f_back
    first = f"{failures[0].label}: {failures[0].reason}"
    cells = "a cell failed" if len(failures) == 1 else f"{len(failures)} cells failed, the first of them"
    warnings.warn(f"{cells}: {first}; `failures` has each traceback", stacklevel=level)
