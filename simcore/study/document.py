"""Document: a YAML file as plain values that remember where each one was written."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any

from simcore.study.errors import Path, Problem, StudyError, dotted, shown

SHORT_FORMS = {"router": "policy", "scheduler": "policy", "rollout": "policy", "model": "name", "cost": "profile"}
"""`router: round_robin` is short for `router: {policy: round_robin}`; a dotted key may open it."""


@dataclass(frozen=True, slots=True)
class Document:
    """A mapping, and for each path in it the places of its key and of its value.

    Args:
        name: how to call the file in messages, as the user gave it.
        folder: relative paths in the study are read from here.
        data: plain dicts, lists and scalars.
        keys: path -> place of the key (or of the list item).
        values: path -> place of the value, where it differs: an override or a sweep.
        problems: what could not be read; the rest of the document still can be checked.
    """

    name: str
    folder: FilePath
    data: dict[str, Any]
    keys: Mapping[Path, str] = field(default_factory=dict)
    values: Mapping[Path, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> Problem:
        """Return `message` as a problem, placed where `path`, or the nearest thing above it, is written."""
        for end in range(len(path), -1, -1):
            above = path[:end]
            if above in self.values and not (at_key and end == len(path)):
                return Problem(self.values[above], dotted(path), message)
            if above in self.keys:
                return Problem(self.keys[above], dotted(path), message)
        return Problem(self.name, dotted(path), message)

    def has(self, path: Path) -> bool:
        """Return whether something is written at `path`."""
        return path in self.keys or path in self.values

    def set(self, dotted_key: str, value: Any, place: str, *, key_place: str | None = None) -> "Document":
        """Return a copy with `value` at `dotted_key`, whose problems are reported at `place`.

        Mappings in between are made as needed; all that follows `sweep.` is one key of the sweep. Raises StudyError
        if the key leads through a scalar or past the end of a list.
        """
        steps = _steps(dotted_key)
        data = deepcopy(self.data)
        keys, values = dict(self.keys), dict(self.values)
        here: Any = data
        path: Path = ()
        for step in steps[:-1]:
            here, path = _enter(here, path, step, key_place or place)
            keys.setdefault(path, key_place or place)
        last: Any = _index(here, path, steps[-1], key_place or place)
        here[last] = deepcopy(value)
        path = (*path, last)
        for places in (keys, values):
            for below in [known for known in places if known[: len(path)] == path]:
                del places[below]
        keys[path] = key_place or place
        values[path] = place
        return replace(self, data=data, keys=keys, values=values)

    def unswept(self, dotted_key: str) -> "Document":
        """Return a copy whose `sweep` leaves a key alone, so that a value set for it counts."""
        sweep = self.data.get("sweep")
        if not isinstance(sweep, dict) or dotted_key not in sweep:
            return self
        return replace(self, data={**self.data, "sweep": {key: sweep[key] for key in sweep if key != dotted_key}})

    def only(self, key: str, names: Sequence[str], place: str) -> "Document":
        """Return a copy whose mapping at the top-level `key` has these names only, in this order, said at `place`."""
        kept = {name: self.data[key][name] for name in names}
        return replace(self, data={**self.data, key: kept}, values={**self.values, (key,): place})


def _steps(dotted_key: str) -> list[str]:
    """Return the keys that lead to a value. The keys of `sweep` are dotted keys themselves.

    >>> _steps("workload.rate"), _steps("sweep.workload.rate")
    (['workload', 'rate'], ['sweep', 'workload.rate'])
    """
    return dotted_key.split(".", 1 if dotted_key.startswith("sweep.") else -1)


def _enter(here: Any, path: Path, step: str, place: str) -> tuple[Any, Path]:
    """Step into a mapping or list, opening a short form or making an empty mapping where nothing is."""
    key: Any = _index(here, path, step, place)
    inside = here[key] if isinstance(here, list) else here.get(key)
    if inside is None:
        inside = here[key] = {}
    elif isinstance(inside, str) and key in SHORT_FORMS:
        inside = here[key] = {SHORT_FORMS[str(key)]: inside}
    if not isinstance(inside, dict | list):
        raise StudyError([Problem(place, dotted((*path, key)), f"is {shown(inside)}, so it has no keys")])
    return inside, (*path, key)


def _index(here: Any, path: Path, step: str, place: str) -> str | int:
    """Return `step` as a key of a mapping, or as a valid index of a list."""
    if not isinstance(here, list):
        return step
    if not step.isdigit() or int(step) >= len(here):
        rule = f"is a list of {len(here)}; write an index from 0 to {len(here) - 1}"
        raise StudyError([Problem(place, dotted(path), f"{rule}, got '{step}'")])
    return int(step)
