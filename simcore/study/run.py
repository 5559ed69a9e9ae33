"""Run: the cells of a plan that are not finished yet, on all cores; what is finished stays, whatever happens next.

A cell is written in a workshop of this run and moved to `<root>/.cells/<hash>` in one stroke, so a folder of that name
is a finished cell. Interrupted or repeated, a run computes only what is missing.
"""

import os
import shutil
import signal
import socket
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from errno import EACCES
from pathlib import Path
from re import findall
from typing import Any, Literal

from simcore.study.cell import run_cell
from simcore.study.errors import Problem, SaysItAll, StudyError
from simcore.study.folder import runs_root
from simcore.study.plan import Cell
from simcore.study.progress import progress

Engine = Literal["local", "ray"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A cell that did not finish, the traceback of why, and the files of its policies."""

    label: str
    traceback: str
    policies: tuple[Path, ...] = ()

    @property
    def reason(self) -> str:
        """The exception in one line, after the line of a policy it came through, if it did."""
        frames = findall(r'File "(.+)", line (\d+)', self.traceback)
        places = [f"{Path(file).name}:{line}: " for file, line in frames if Path(file) in self.policies]
        return "".join(places[-1:]) + self.traceback.strip().rpartition("\n")[2]


@dataclass(frozen=True, slots=True)
class Finished:
    """Where the finished cells of a plan lie, by hash, and which failed; `computed` in this run."""

    directories: dict[str, Path] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    computed: int = 0


class Interrupted(SaysItAll, KeyboardInterrupt):
    """Ctrl-C, with what is kept."""

    def __init__(self, finished: int, total: int) -> None:
        super().__init__(f"{finished} of {total} cells finished and kept; run again to resume")


def run_cells(
    cells: Sequence[Cell], root: Path, *, jobs: int | None = None, engine: Engine = "local", quiet: bool = True
) -> Finished:
    """Run what is missing of `cells` with `jobs` processes (None: one a core); a failing cell stops no other.

    Raises Interrupted on Ctrl-C, StudyError if the engine is not installed or `root` cannot be written.
    """
    store = _store(root)
    by_hash = {cell.hash: cell for cell in cells}
    missing = [cell for name, cell in by_hash.items() if not (store / name).is_dir()]
    failures = {}
    with _workshop(store) as workshop:
        try:
            with progress(len(by_hash), len(by_hash) - len(missing), quiet=quiet) as advance:
                for name, trace in _results(missing, store, workshop, jobs or _cores(), engine):
                    if trace is not None:
                        cell = by_hash[name]
                        failures[name] = Failure(cell.label, trace, cell.policy_files)
                    advance(failed=trace is not None)
        except KeyboardInterrupt:
            raise Interrupted(sum((store / name).is_dir() for name in by_hash), len(by_hash)) from None
    directories = {name: store / name for name in by_hash if (store / name).is_dir()}
    return Finished(directories, failures, len(missing) - len(failures))


def is_finished(cell: Cell) -> bool:
    """Return whether a run would find this cell done."""
    return (runs_root() / ".cells" / cell.hash).is_dir()


def _store(root: Path) -> Path:
    store = root / ".cells"
    try:
        store.mkdir(parents=True, exist_ok=True)
        if not os.access(store, os.W_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))
    except OSError as error:
        raise StudyError([Problem(str(store), "", f"finished cells cannot be kept: {error.strerror}")]) from None
    # joblib keeps its workers from run to run, in the folder where they were started.
    return store.absolute()


def _results(
    missing: Sequence[Cell], store: Path, workshop: Path, jobs: int, engine: Engine
) -> Iterator[tuple[str, str | None]]:
    """Yield (hash, traceback or None) of each cell as it ends."""
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    if not missing:
        return
    tasks = [delayed(_run_apart)(cell, store, workshop) for cell in missing]
    jobs = min(jobs, len(tasks))
    if engine == "ray":
        yield from _on_ray(tasks, jobs)
        return
    # A terminal sends Ctrl-C to the workers as well; this process alone decides what it means.
    with _ignoring_ctrl_c() if jobs > 1 else nullcontext():
        ended = Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks)
    reported = set()
    try:
        with closing(ended):
            for name, trace in ended:
                reported.add(name)
                yield name, trace
    except TerminatedWorkerError:
        # Whose fault it was is not known: each cell that is left gets a process of its own.
        for cell in missing:
            if cell.hash not in reported:
                yield _run_alone(cell, store, workshop)


def _run_alone(cell: Cell, store: Path, workshop: Path) -> tuple[str, str | None]:
    from joblib.externals.loky.process_executor import ProcessPoolExecutor, TerminatedWorkerError

    with ProcessPoolExecutor(max_workers=1) as executor:
        try:
            with _ignoring_ctrl_c():
                ended = executor.submit(_run_apart, cell, store, workshop)
            name, trace = ended.result()
        except TerminatedWorkerError:
            return cell.hash, "the process died without a word; out of memory?"
    return name, trace


def _on_ray(tasks: Sequence[Any], jobs: int) -> Iterator[tuple[str, str | None]]:
    """Yield as `_results` does, from a Ray cluster that shares this file system.

    Ray's joblib backend returns lists only, so tasks go in rounds.
    """
    from joblib import Parallel, parallel_config

    try:
        from ray.util.joblib import register_ray  # type: ignore[import-not-found]
    except ImportError:
        raise StudyError([Problem("--engine ray", "", "Ray is not installed: pip install 'ray>=2.40'")]) from None
    register_ray()
    round_size = 4 * jobs
    with parallel_config(backend="ray", n_jobs=jobs):
        for start in range(0, len(tasks), round_size):
            yield from Parallel()(tasks[start : start + round_size])


def _run_apart(cell: Cell, store: Path, workshop: Path) -> tuple[str, str | None]:
    """Run a cell in the workshop and move it to the store; return its hash, and the traceback if it failed."""
    bench, place = workshop / cell.hash, store / cell.hash
    try:
        if not place.is_dir():
            run_cell(cell, bench)
        if not place.is_dir():
            bench.rename(place)
    except (Exception, SystemExit):
        # A policy that exits ends its own cell alone. Another run may have put the same cell there in the meantime.
        if not place.is_dir():
            return cell.hash, traceback.format_exc()
    return cell.hash, None


@contextmanager
def _workshop(store: Path) -> Iterator[Path]:
    """Make a folder for cells in the making; it is gone afterwards, as are those of runs that were killed."""
    host = socket.gethostname()
    for left in store.glob(f".making-{host}-*"):
        if not _alive(int(left.name.rpartition("-")[2])):
            shutil.rmtree(left, ignore_errors=True)
    workshop = store / f".making-{host}-{os.getpid()}"
    workshop.mkdir(exist_ok=True)
    try:
        yield workshop
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _ignoring_ctrl_c() -> Iterator[None]:
    """Let processes started meanwhile ignore Ctrl-C for good: that is inherited, other answers to a signal are not."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _cores() -> int:
    import joblib

    return int(joblib.cpu_count())
