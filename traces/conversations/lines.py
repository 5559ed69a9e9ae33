"""Lines: the text of a trace line by line; each knows its number and where its bytes stand, to come back to it."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import BinaryIO

_BOM = b"\xef\xbb\xbf"


class Lines:
    """An iterator of lines, and the place of the last one: line `number` (from 1), bytes `begins` to `ends`.

    part: how many parts of the file came before, if they are read out of order.

    >>> lines = Lines([b"one\\n", b"two\\n"])
    >>> next(lines), next(lines)
    ('one\\n', 'two\\n')
    >>> lines.number, lines.begins, lines.ends
    (2, 4, 8)
    """

    __slots__ = ("_raw", "begins", "ends", "number", "part", "text")

    def __init__(self, raw: Iterable[bytes]) -> None:
        self._raw = iter(raw)
        self.number = self.part = self.begins = self.ends = 0
        self.text = ""

    @classmethod
    def of_parts(cls, file: BinaryIO, parts: Iterable[tuple[int, int, int]]) -> "Lines":
        """Return the lines of parts of a file, in any order: the first line's number, first byte, byte behind the last.

        >>> [*Lines.of_parts(BytesIO(b"one\\ntwo\\n"), [(2, 4, 8), (1, 0, 4)])]
        ['two\\n', 'one\\n']
        """
        lines = cls(())

        def raw() -> Iterator[bytes]:
            for number, begins, ends in parts:
                file.seek(begins)
                lines.number, lines.ends = number - 1, begins
                yield from BytesIO(file.read(ends - begins))
                lines.part += 1

        lines._raw = raw()
        return lines

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = next(self._raw)
        self.number += 1
        self.begins = self.ends
        self.ends += len(raw)
        if self.number == 1:
            raw = raw.removeprefix(_BOM)
        # Bytes that are no UTF-8 are reported in the row where they stand.
        self.text = raw.decode("utf-8", "replace")
        return self.text
