"""Lookup: what a study names, found or told as a problem at its place."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from simcore.study.document import Document
from simcore.study.errors import Path, Problem, dotted, unknown
from simcore.study.files import like_a_file, locate
from simcore.study.validate import keys_at

Thing = TypeVar("Thing")


class Lookup:
    """Gathers problems and references while a study is resolved. What is `reported` is old news.

    references: what the study names by a relative path, by an absolute one.
    """

    def __init__(self, document: Document, reported: set[str]) -> None:
        self.document = document
        self.reported = reported
        self.problems: list[Problem] = []
        self.references: dict[Path, str] = {}

    def wrong(self, path: Path, message: str) -> None:
        """Note a problem with what is written at `path`."""
        # `model: x` is short for `model: {name: x}`: the path is the one people wrote.
        if path[-1] in ("name", "policy", "profile") and not self.document.has(path):
            path = path[:-1]
        if dotted(path) not in self.reported:
            self.problems.append(self.document.problem(path, message))

    def attempt(self, at: Path, make: Callable[[], Thing]) -> Thing | None:
        """Return what `make` makes. Each line of a ValueError becomes a problem, at the key its first word names."""
        from traces import TraceError

        try:
            return make()
        except TraceError:
            raise
        except ValueError as error:
            for line in str(error).splitlines():
                self.wrong(*_about(at, line))
            return None

    def name_or_file(self, kind: str, name: str, at: Path, known: Sequence[str]) -> str | None:
        """Return `name` if it is known, or the file it leads to."""
        if name in known:
            return name
        if not like_a_file(name):
            self.wrong(at, unknown(kind, name, known))
            return None
        file = locate(name, self.document)
        if file is None:
            self.wrong(at, f"no such file: '{name}'")
            return None
        self.references[at] = str(file)
        return str(file)


def _about(at: Path, line: str) -> tuple[Path, str]:
    """Return the path a message is about, and the message without it: "tp must …", "arrivals.cv: must …"."""
    first, _, rule = line.partition(" ")
    steps = tuple(first.removesuffix(":").split(".")) if first.endswith(":") else (first,)
    return ((*at, *steps), rule) if steps[0] in keys_at(at) else (at, line)
