"""Findings: what is wrong in any of the many files of a trace, each with its place; too many end the reading."""

from traces.problems import LIMIT, TraceError


class Findings:
    """Problems as `file:line:col: message`, in the order they were met."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, file: str, line: int, column: int, message: str) -> None:
        """Note a problem at `line` and `column`, both counted from 1; the last one allowed raises TraceError."""
        self.found.append(f"{file}:{line}:{column}: {message}")
        if len(self.found) == LIMIT:
            self.found[-1] += f" (stopped after {LIMIT} problems)"
            self.raise_if_any()

    def raise_if_any(self) -> None:
        if self.found:
            raise TraceError(self.found)
