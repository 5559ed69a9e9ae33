"""Kinds: a distribution as `{kind: name, ...}`, looked up among those known, and back in words."""

from collections.abc import Mapping
from typing import Protocol, Self, TypeVar

from traces.parameters import Parameters


class Kind(Protocol):
    """What can be read from its parameters."""

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self: ...


K = TypeVar("K", bound=Kind)


def read_kind(where: str, given: object, known: Mapping[str, type[K]], problems: list[str]) -> K | None:
    """Return the distribution that stands at the key `where`; None if `problems` now say what is wrong with it."""
    parameters = Parameters(where, given, problems, shape="a mapping with a kind")
    if not isinstance(given, Mapping):
        return None
    kind = parameters.choice("kind", known)
    if kind is None:
        return None
    found = known[kind].read(parameters)
    parameters.finish()
    return found


def in_words(given: Mapping[str, object]) -> str:
    """Return parameters in a line; long tables by their size.

    >>> in_words({"kind": "gamma", "cv": 2})
    'gamma cv=2'
    """
    first = [str(given["kind"])] if "kind" in given else []
    return " ".join(first + [f"{key}={_shown(value)}" for key, value in given.items() if key != "kind"])


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return f"({in_words(value)})"
    if isinstance(value, list | tuple) and len(value) > 6:
        return f"({len(value)} values)"
    return str(value)
