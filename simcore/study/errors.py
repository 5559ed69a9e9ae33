"""Errors: everything that is wrong with a study, each problem with its place in the file."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

Path = tuple[str | int, ...]
"""Where a value stands in a study: `("systems", "jsq", "router")`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Args:
        place: `file:line:col`, or the option that brought the value in.
        path: dotted key, empty when the whole file is meant.
        message: the rule, and the value got.
    """

    place: str
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, self.path, self.message) if part)


class SaysItAll:
    """Mixin of errors whose message is all a user needs: notebooks show it without a traceback."""

    def _render_traceback_(self) -> list[str]:
        # IPython asks for this by its name.
        return [f"{type(self).__name__}: {self}"]


class StudyError(SaysItAll, ValueError):
    """A study cannot be run as it stands. `problems` holds every reason, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def dotted(path: Path) -> str:
    """Return a path as people write it.

    >>> dotted(("sweep", "workload.rate", 2))
    'sweep.workload.rate[2]'
    """
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" for the known name closest to `name`, or "" when none is close.

    >>> nearest("tpott_ms", ["ttft_ms", "tpot_ms"])
    " (did you mean 'tpot_ms'?)"
    >>> nearest("H-100", ["a100", "h100"])
    " (did you mean 'h100'?)"
    >>> nearest("a100", ["a10", "a100-40gb", "a100-80gb"])
    " (did you mean 'a100-40gb'?)"
    >>> nearest("xyz", ["h100"])
    ''
    """
    by_lower = {candidate.lower(): candidate for candidate in known}
    longer = [candidate for candidate in by_lower if candidate.startswith(f"{name.lower()}-")]
    found = longer[:1] or get_close_matches(name.lower(), by_lower, n=1)
    return f" (did you mean '{by_lower[found[0]]}'?)" if found else ""


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that nobody knows.

    >>> unknown("hardware", "h10", ["a100", "h100"])
    "unknown hardware 'h10'; have a100, h100 (did you mean 'h100'?)"
    """
    names = list(known)
    return f"unknown {kind} '{name}'; have {', '.join(names)}{nearest(name, names)}"


def shown(value: object) -> str:
    """Return a value as it looks in YAML, kept short.

    >>> shown(True), shown(None), shown("8"), shown([1]), shown({})
    ('true', 'nothing', "'8'", 'a list', 'a mapping')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
