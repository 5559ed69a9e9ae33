"""Trace opening: from what stands on the command line to a workload."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simcore.contract import Workload

_STAND_INS: Mapping[str, object] = {
    "arrivals": {"kind": "all_at_once"},
    "prompt_tokens": {"kind": "fixed", "tokens": 1},
    "output_tokens": {"kind": "fixed", "tokens": 1},
}
"""For what a file lacks."""
_HINT = "what a file lacks is given by --set, as in a study: --set 'arrivals={kind: poisson}' --rate 2"


@dataclass(frozen=True)
class Reading:
    """How a trace is to be read: options given by name, and `key=value` for the rest of a study's `workload`."""

    options: Mapping[str, object]
    keys: Sequence[str] = ()

    def open(self, trace: str) -> "Workload":
        """Return the workload. Raises TraceError or ParameterError."""
        from traces import ParameterError

        given = self._given()
        try:
            return _opened(trace, given)
        except ParameterError as error:
            hint = [_HINT] if _lacking(error.problems, given) else []
            raise ParameterError([*error.problems, *hint]) from None

    def open_rows(self, trace: str) -> "Workload":
        """Return the workload where only its rows matter: what the file lacks is made up. Raises as `open` does."""
        from traces import ParameterError

        given = self._given()
        try:
            return _opened(trace, given)
        except ParameterError as error:
            lacking = _lacking(error.problems, given)
            if not lacking:
                raise
            return _opened(trace, {**given, **{key: _STAND_INS[key] for key in lacking}})

    def _given(self) -> dict[str, Any]:
        from traces import ParameterError

        assigned = _assigned(self.keys)
        if twice := [key for key in assigned if key in self.options]:
            raise ParameterError(
                [f"--set {key}: {_option(key)} says it, too; leave one of the two out" for key in twice]
            )
        return {**self.options, **assigned}


def catalogued(name: str, keys: Sequence[str], *, rate: float | None, requests: int | None, seed: int) -> "Workload":
    """Return the workload of that name. Raises ParameterError if the catalogue has none."""
    from simcore.study.errors import unknown
    from traces import ParameterError, catalogue_names, open_trace

    known = catalogue_names()
    if name not in known:
        raise ParameterError([f"{unknown('workload', name, known)}; a file is written by: simcore trace convert"])
    if keys:
        raise ParameterError([f"--set {keys[0]}: only a study (--from) has keys"])
    return open_trace(name, rate=rate, requests=requests, seed=seed)


def of_study(
    study: str, keys: Sequence[str], *, rate: float | None, requests: int | None, seed: int | None
) -> "Workload":
    """Return the workload of a study, of the first point of its sweep and its first seed. Raises StudyError."""
    from simcore.study.api import Study
    from simcore.study.traffic import open_workload

    chosen = Study.load(study)
    for assignment in keys:
        chosen = chosen.override(assignment)
    for key, value in (("rate", rate), ("requests", requests)):
        if value is not None:
            chosen = chosen.set(f"workload.{key}", value)
    cell = chosen.plan()[0]
    return open_workload(cell.spec, cell.trace_file, cell.seed if seed is None else seed)


def _option(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def _opened(trace: str, given: Mapping[str, Any]) -> "Workload":
    from traces import open_trace

    return open_trace(trace, **given)


def _lacking(problems: Sequence[str], given: Mapping[str, object]) -> Sequence[str]:
    """Return the keys that a file lacks, as its problems say, and nobody gave."""
    named = {problem.partition(":")[0] for problem in problems}
    return [key for key in _STAND_INS if key in named and key not in given]


def _assigned(keys: Sequence[str]) -> dict[str, Any]:
    """Return `key=value` as keywords of `open_trace`, the values read as YAML. Raises ParameterError."""
    from simcore.study.errors import nearest
    from simcore.study.load import parse_value
    from traces import ParameterError, open_trace

    known = sorted(set(signature(open_trace).parameters) - {"trace", "base", "replication"})
    given: dict[str, Any] = {}
    problems = []
    for assignment in keys:
        key, equals, text = assignment.partition("=")
        if not (key and equals):
            problems.append(f"--set {assignment}: write key=value")
        elif key not in known:
            problems.append(f"--set {assignment}: unknown key; have {', '.join(known)}{nearest(key, known)}")
        else:
            try:
                given[key] = parse_value(text)
            except ValueError as error:
                problems.append(f"--set {assignment}: {error}")
    if problems:
        raise ParameterError(problems)
    return given
