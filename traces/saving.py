"""Saving: a file that stands under its name only when it is whole, compressed if the name says so."""

import gzip
import io
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TextIO, cast

from traces.problems import TraceError


@contextmanager
def saving(path: Path, *, overwrite: bool = False) -> Iterator[TextIO]:
    """Yield a text file that becomes `path` when the block ends well, and is gone if it does not.

    `.gz` and `.zst` are compressed, always into the same bytes. Raises TraceError if the file cannot be written.
    """
    with part_of(path, overwrite=overwrite) as part, ExitStack() as stack:
        binary: IO[bytes] = stack.enter_context(part.open("wb"))
        if path.suffix == ".gz":
            binary = cast(
                "IO[bytes]",
                stack.enter_context(gzip.GzipFile(filename="", mode="wb", fileobj=binary, compresslevel=6, mtime=0)),
            )
        elif path.suffix == ".zst":
            import zstandard

            binary = stack.enter_context(zstandard.ZstdCompressor(level=9).stream_writer(binary, closefd=False))
        yield stack.enter_context(io.TextIOWrapper(binary, encoding="utf-8", newline="\n", write_through=False))


@contextmanager
def part_of(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield the name of a file beside `path` that becomes `path` when the block ends well, and is removed if not."""
    check_free(path, overwrite=overwrite)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        raise TraceError([f"{path}: cannot be written: {error.strerror or error}"]) from error
    finally:
        part.unlink(missing_ok=True)


def check_free(path: Path, *, overwrite: bool = False) -> None:
    """Raise TraceError if no file can be written there, before the work is done that it is to hold."""
    if path.is_dir():
        raise TraceError([f"{path}: is a folder; name a file"])
    if path.exists() and not overwrite:
        raise TraceError([f"{path}: exists; --force writes over it"])
    if not path.parent.is_dir():
        raise TraceError([f"{path}: there is no folder {path.parent}"])
