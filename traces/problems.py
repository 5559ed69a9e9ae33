"""Problems: what is wrong with a trace, and where; a reader collects several before it gives up."""

from pathlib import Path

LIMIT = 20
"""A file with this many problems is broken in one way, not in twenty: reading stops."""


class TraceError(ValueError):
    """A trace cannot be used. `problems` says why, one `file:line:col: message` each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class Problems:
    """The problems of one file, in the order they were met; the last one allowed raises `TraceError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[str] = []

    def add(self, line: int, column: int, message: str) -> None:
        """Note a problem at `line` and `column`, both counted from 1."""
        self.found.append(f"{self.path}:{line}:{column}: {message}")
        if len(self.found) == LIMIT:
            self.found[-1] += f" (stopped after {LIMIT} problems)"
            raise self.error()

    def error(self) -> TraceError:
        return TraceError(self.found)
