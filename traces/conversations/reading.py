"""Reading: the conversations in a file, what is wrong with it, and its bytes to go back to."""

import shutil
import tempfile
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import BinaryIO, cast

from traces.conversations.conversation import ConversationFormat, Found
from traces.conversations.lines import Lines
from traces.files import DAMAGE, open_text
from traces.formats.base import BadRow
from traces.problems import Problems, TraceError


class Unreadable(Exception):
    """A file cannot be read on, or not at all, from this place."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.line, self.column, self.message = line, column, message


class Faults:
    """Problems of a file, and of one beside it."""

    def __init__(self, path: Path) -> None:
        self.main = Problems(path)
        self._beside: Problems | None = None

    @property
    def any(self) -> bool:
        """Whether anything was noted."""
        return bool(self.main.found or (self._beside and self._beside.found))

    def add(self, found: Found) -> None:
        """Note what is wrong with a conversation; TraceError when it is too much."""
        for fault in found.faults:
            into = self.main
            if fault.path is not None:
                into = self._beside = self._beside or Problems(fault.path)
            into.add(fault.line, fault.column, fault.message)

    def raise_if_any(self) -> None:
        """Raise TraceError with everything noted."""
        if self.any:
            raise TraceError(self.main.found + (self._beside.found if self._beside else []))


def conversations_in(path: Path, format: ConversationFormat) -> Iterator[Found]:
    """Yield what stands in the file, in order; raises Unreadable where it cannot be read on."""
    lines = Lines(())
    try:
        with open_text(path) as text:
            lines = Lines(text.buffer)
            header = None
            if format.has_header:
                header = next(lines, "")
                format.check_header(header)
            yield from format.read(path, header, lines)
    except FileNotFoundError as error:
        raise Unreadable(1, 1, "no such file") from error
    except IsADirectoryError as error:
        raise Unreadable(1, 1, "this is a directory, not a trace file") from error
    except PermissionError as error:
        raise Unreadable(1, 1, "no permission to read this file") from error
    except DAMAGE as error:
        raise Unreadable(lines.number + 1, 1, f"the file is truncated or damaged here: {error}") from error
    except BadRow as bad:
        column, message = bad.faults[0]
        raise Unreadable(1, column, message) from bad


def header_of(path: Path, format: ConversationFormat) -> str | None:
    """Return the first line of a file whose format has a header."""
    if not format.has_header:
        return None
    with open_text(path) as text:
        return next(Lines(text.buffer))


def seekable(path: Path) -> BinaryIO:
    """Open the bytes of a file to go back and forth in: if compressed, of a copy that is gone when it is closed."""
    with open_text(path) as text:
        plain = text.buffer
        if isinstance(getattr(plain, "raw", None), FileIO):
            return path.open("rb")
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed by who asked for it
        shutil.copyfileobj(plain, copy, 1 << 20)
        return cast(BinaryIO, copy)
