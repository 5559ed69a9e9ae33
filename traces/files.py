"""Files: the text of a trace, plain or compressed, and the hash that names it."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

DAMAGE = (EOFError, OSError, zlib.error)
"""What reading a truncated or corrupted file raises."""

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_CHUNK_BYTES = 1 << 17


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a plain, gzip or zstandard file as text; the first bytes decide, not the name.

    Bytes that are not UTF-8 become U+FFFD, so that they are reported in the row where they stand.
    """
    with path.open("rb") as raw:
        start = raw.peek(4)
        binary: BinaryIO
        if start.startswith(_GZIP):
            binary = cast(BinaryIO, io.BufferedReader(gzip.GzipFile(fileobj=raw), _CHUNK_BYTES))
        elif start.startswith(_ZSTD):
            binary = cast(BinaryIO, io.BufferedReader(_ZstdStream(raw), _CHUNK_BYTES))
        else:
            binary = raw
        with io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace") as text:
            yield text


def sha256(path: Path) -> str:
    """Return the SHA-256 of the file as it lies on disk, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _ZstdStream(io.RawIOBase):
    """The decompressed bytes of zstandard frames. A last frame cut short raises EOFError, as gzip does."""

    def __init__(self, raw: BinaryIO) -> None:
        import zstandard

        self._zstandard = zstandard
        self._raw = raw
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._started = False
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._ready:
            rest = self._frame.unused_data if self._frame.eof else b""
            chunk = rest or self._raw.read(_CHUNK_BYTES)
            if self._frame.eof and chunk:
                self._frame = self._zstandard.ZstdDecompressor().decompressobj()
                self._started = False
            if not chunk:
                if self._started and not self._frame.eof:
                    raise EOFError("zstandard frame ended too early")
                return 0
            self._started = True
            try:
                self._ready = memoryview(self._frame.decompress(chunk))
            except self._zstandard.ZstdError as error:
                raise OSError(str(error)) from error
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size
