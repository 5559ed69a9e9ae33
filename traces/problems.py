"""Problems: what is wrong with a trace, and where; a reader collects several before it gives up."""

from collections.abc import Iterable, Sequence
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
    """The problems of one file, in the order they were met; the last one allowed raises `TraceError`.

    skip: rows that are wrong are left out and counted in `skipped`; only what is wrong with the file is a problem.
    """

    def __init__(self, path: Path, *, skip: bool = False) -> None:
        self.path = path
        self.skip = skip
        self.found: list[str] = []
        self.skipped = 0
        self._first_skipped: list[str] = []

    def add(self, line: int, column: int, message: str) -> None:
        """Note a problem at `line` and `column`, both counted from 1."""
        self.found.append(self._placed(line, column, message))
        if len(self.found) == LIMIT:
            self.found[-1] += f" (stopped after {LIMIT} problems)"
            raise self.error()

    def bad_row(self, line: int, faults: Iterable[tuple[int, str]]) -> None:
        """Note what is wrong with a row, (column, message) each; or leave it out."""
        if not self.skip:
            for column, message in faults:
                self.add(line, column, message)
            return
        self.skipped += 1
        if len(self._first_skipped) < LIMIT:
            self._first_skipped += [self._placed(line, column, message) for column, message in faults]

    def end(self, line: int, read: int) -> None:
        """Note if a file that ends at `line` has no rows, or if most were left out, and then why the first were."""
        if self.skipped > read:
            why = f"{self.skipped:,} rows are bad and {read:,} are not: this is more than some bad rows to leave out"
            self.found = [*self.found, self._placed(line, 1, why), *self._first_skipped][:LIMIT]
        elif not read and not self.found:
            self.add(line, 1, "the file has no rows")

    def error(self) -> TraceError:
        return TraceError(self.found)

    def _placed(self, line: int, column: int, message: str) -> str:
        return f"{self.path}:{line}:{column}: {message}"


def skipped_in_words(skipped: int) -> Sequence[str]:
    """Return what to add to a source of which rows were left out.

    >>> skipped_in_words(0), skipped_in_words(1), skipped_in_words(1200)
    ([], ['1 bad row left out'], ['1,200 bad rows left out'])
    """
    return [f"{skipped:,} bad row{'' if skipped == 1 else 's'} left out"] if skipped else []
