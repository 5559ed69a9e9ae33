"""Keys: what of a study can be varied, whether in whole numbers, and which way it gets harder."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from simcore.study.document import Document
from simcore.study.errors import Problem, StudyError, unknown
from simcore.study.plan import FIXED
from simcore.study.resolve import resolve
from simcore.study.validate import keys_at

RATE = "workload.rate"

Find = Literal["highest", "lowest"]

_MORE_IS_EASIER = (
    *("cluster.instances", "cluster.kv_blocks", "cluster.memory_utilization", "cluster.host_memory_gib"),
    *("cluster.topology.*_gbs", "slo.*_ms", "*timeout_s"),
)
"""Keys whose lowest value is asked for, where the user does not say."""
_NO_SCALE = {
    "cluster.tp": "only powers of two divide a model",
    "workload.requests": "it is the length of a run, no load",
}
"""Keys that are numbers, and why nothing can be closed in on between two of them."""
_PROBES = (1, 1.5, 0.5, 1000)
"""A key that takes none of these takes no number."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key to vary. `system`: the one it belongs to; None: it is everyone's."""

    name: str
    find: Find
    whole: bool
    system: str | None = None

    @property
    def harder(self) -> int:
        """1 if larger values are harder to meet, -1 if smaller ones are."""
        return 1 if self.find == "highest" else -1


def read_key(document: Document, name: str, find: Find | None = None) -> Key:
    """Return the key `name` of a study; `find` None: what is usual for it.

    Raises StudyError for a key that the study does not know, or where it takes no number.
    """
    place = f"--vary {name}"
    steps = name.split(".")
    if not all(steps):
        raise _wrong(place, "", f"must be a dotted key such as {RATE}, got '{name}'")
    if name in _NO_SCALE or name in FIXED or steps[0] in ("sweep", "seeds"):
        why = _NO_SCALE.get(name)
        raise _wrong(place, name, f"cannot be varied{f': {why}; sweep it instead' if why else ''}")
    system = steps[1] if steps[0] == "systems" and len(steps) > 2 else None
    known = written(document.data, "systems")
    if system is not None and isinstance(known, Mapping) and system not in known:
        raise _wrong(place, name, unknown("system", system, known))
    problems = [_complaint(document, name, value, place) for value in _PROBES]
    first = problems[0]
    if first is not None and all(problems):
        if "unknown key" not in first.message:
            raise _wrong(place, name, f"cannot be varied: {first.message}")
        hint = _fuller(name)
        raise _wrong(place, name, f"unknown key{hint}" if hint else first.message)
    whole = any(problem is not None and "whole number" in problem.message for problem in problems)
    usual: Find = "lowest" if any(fnmatchcase(name, pattern) for pattern in _MORE_IS_EASIER) else "highest"
    return Key(name, find or usual, whole, system)


def written(data: Any, name: str) -> Any:
    """Return what a study says at a dotted key; None where it says nothing.

    >>> written({"cluster": {"instances": 4}}, "cluster.instances"), written({}, "workload.rate")
    (4, None)
    """
    for step in name.split("."):
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list) and step.isdigit() and int(step) < len(data):
            data = data[int(step)]
        else:
            return None
    return data


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _complaint(document: Document, name: str, value: float, place: str) -> Problem | None:
    """Return what is wrong with a number at a key, whatever else is wrong with the study."""
    _, problems = resolve(document.set(name, value, place))
    return next((problem for problem in problems if problem.path == name), None)


def _fuller(name: str) -> str:
    """Return the hint that `rate` is called `workload.rate`, or nothing.

    >>> _fuller("rate")
    " (did you mean 'workload.rate'?)"
    """
    sections = [section for section in keys_at(()) if section != "systems" and name in keys_at((section,))]
    return f" (did you mean '{sections[0]}.{name}'?)" if sections else ""


def _wrong(place: str, path: str, message: str) -> StudyError:
    return StudyError([Problem(place, path, message)])
