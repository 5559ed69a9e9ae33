"""Bench: runs the cells a search asks for, a batch at a time, from the store of finished cells where they are kept."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from simcore.capacity.criteria import FARTHEST, margin_of
from simcore.capacity.question import Question, Subject
from simcore.results.cell import read_cell
from simcore.study.document import Document
from simcore.study.errors import StudyError
from simcore.study.plan import Cell, Options, cell
from simcore.study.resolve import Resolved, resolve
from simcore.study.run import Failure, run_cells

Purpose = Literal["scout", "search", "around", "check", "length"]
WHOLE = Fraction(1)
OPTIONS = Options()
KEPT = (
    *("slo_attainment", "request_goodput", "request_throughput", "completed", "arrived"),
    *("mean_ttft_ms", "p99_ttft_ms", "mean_tpot_ms", "p99_tpot_ms"),
)
"""Metrics of each run that the answer repeats, beside those of the criteria."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One run to be done. `part`: how many of the study's requests it serves, as a share."""

    subject: int
    value: float
    seed: int
    purpose: Purpose = "search"
    part: Fraction = WHOLE


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a trial.

    Args:
        margin: above 0 if the run meets all that is asked.
        run: {state, metrics}; None if there could be no run.
        impossible: why there could be none: the study does not allow this value.
        failure: the cell failed.
    """

    trial: Trial
    requests: int
    margin: float
    run: Mapping[str, Any] | None = None
    impossible: str = ""
    failure: Failure | None = None

    @property
    def met(self) -> bool:
        return self.margin > 0


class Bench:
    """Runs trials of the subjects of a question.

    Args:
        root: folder of all runs, where finished cells are kept.
        jobs: processes; None: one a core.
        quiet: say nothing on stderr.

    `done` keeps all trials in the order asked; `computed` counts the cells that were not finished before.
    """

    def __init__(self, question: Question, root: Path, *, jobs: int | None = None, quiet: bool = True) -> None:
        self.question = question
        self.done: list[Judged] = []
        self.computed = 0
        self._root = root
        self._jobs = jobs
        self._quiet = quiet
        self._resolved: dict[tuple[int, float, Fraction], Resolved | str] = {}

    def run(self, trials: Sequence[Trial]) -> list[Judged]:
        """Return what became of each trial; cells that are finished are not run again.

        Raises Interrupted on Ctrl-C, StudyError if the store of cells cannot be written.
        """
        cells = {trial: self._cell(trial) for trial in trials}
        finished = run_cells([each for each in cells.values() if isinstance(each, Cell)], self._root, jobs=self._jobs)
        self.computed += finished.computed
        judged = []
        for trial, planned in cells.items():
            requests = self._requests(trial)
            if isinstance(planned, str):
                judged.append(Judged(trial, requests, -FARTHEST, impossible=planned))
            elif planned.hash in finished.failures:
                judged.append(Judged(trial, requests, -FARTHEST, failure=finished.failures[planned.hash]))
            else:
                run = read_cell(finished.directories[planned.hash])
                judged.append(Judged(trial, requests, margin_of(run, self.question.criteria), self._kept(run)))
        self.done += judged
        self._say(judged)
        return judged

    def of(self, subject: int, *purposes: Purpose) -> Iterator[Judged]:
        """Yield what became of the trials of a subject."""
        return (each for each in self.done if each.trial.subject == subject and each.trial.purpose in purposes)

    def _cell(self, trial: Trial) -> Cell | str:
        at = (trial.subject, trial.value, trial.part)
        if at not in self._resolved:
            self._resolved[at] = self._resolve(trial)
        resolved = self._resolved[at]
        if isinstance(resolved, str):
            return resolved
        subject = self.question.subjects[trial.subject]
        point = {**subject.point, self.question.key.name: trial.value}
        return cell(subject.system, point, trial.seed, resolved, resolved.systems[subject.system], OPTIONS)

    def _resolve(self, trial: Trial) -> Resolved | str:
        """Return the study as a trial has it, or why it cannot be run so."""
        subject, key = self.question.subjects[trial.subject], self.question.key
        try:
            document = subject.document.set(key.name, trial.value, f"{key.name} at {trial.value:g}")
            resolved, problems = resolve(_of_length(document, subject, trial.part))
        except StudyError as error:
            resolved, problems = None, list(error.problems)
        if resolved is None:
            return f"{problems[0].path}: {problems[0].message}"
        return resolved

    def _requests(self, trial: Trial) -> int:
        return int(self.question.subjects[trial.subject].requests * trial.part)

    def _kept(self, run: Mapping[str, Any]) -> dict[str, Any]:
        names = dict.fromkeys([*(each.metric for each in self.question.criteria), *KEPT])
        return {"state": run["state"], "metrics": {name: run["metrics"].get(name) for name in names}}

    def _say(self, judged: Sequence[Judged]) -> None:
        """Tell on stderr how far the search is: `57 runs: search: random 174.5 missed, 174.4 met`."""
        if self._quiet or not judged:
            return
        tried: dict[str, list[str]] = {}
        for each in judged:
            name = self.question.subjects[each.trial.subject].label
            tried.setdefault(name, []).append(f"{each.trial.value:g} {'met' if each.met else 'missed'}")
        said = "; ".join(f"{name} {', '.join(dict.fromkeys(values))}" for name, values in tried.items())
        print(f"{len(self.done)} runs: {judged[0].trial.purpose}: {said}", file=sys.stderr, flush=True)


def _of_length(document: Document, subject: Subject, part: Fraction) -> Document:
    """Return the study with a part, or a multiple, of its requests; a shorter one has a shorter warm-up."""
    if part == WHOLE:
        return document
    longer = document.set("workload.requests", int(subject.requests * part), "run length")
    warm_up = document.data.get("warm_up")
    if part > 1 or not isinstance(warm_up, dict):
        return longer
    shorter = {"seconds": float(warm_up.get("seconds", 0.0) * part), "requests": int(warm_up.get("requests", 0) * part)}
    return longer.set("warm_up", shorter, "run length")
