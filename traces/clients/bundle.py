"""Bundle: the client files of a ServeGen model, in a folder or packed in a tar; nothing is ever unpacked to disk.

Client 3 has the files `chunk-3-trace.csv` (its rates) and `chunk-3-dataset.json` (its lengths).
"""

import hashlib
import lzma
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple, cast

from traces.files import DAMAGE, sha256
from traces.problems import TraceError

Part = Literal["trace.csv", "dataset.json"]

_NAME = re.compile(r"chunk-(\d{1,9})-(trace\.csv|dataset\.json)")
_DAMAGE = (tarfile.TarError, lzma.LZMAError, *DAMAGE)


class ClientFile(NamedTuple):
    """One file of one client."""

    client: int
    part: Part
    place: str
    """What messages call it: `folder/chunk-3-trace.csv`, `archive.tar.gz:chunk-3-trace.csv`."""
    text: str


def is_clients(path: Path) -> bool:
    """Return whether a folder or tar holds client files of ServeGen."""
    if path.is_dir():
        return any(map(_file_in_folder, path.iterdir()))
    try:
        if not path.is_file() or not tarfile.is_tarfile(path):
            return False
        with tarfile.open(path) as archive:
            return any(_file_in_tar(member) for member in archive)
    except _DAMAGE:
        return False


def folders_within(path: Path) -> list[Path]:
    """Return the folders at most three below a folder that hold client files: `data/<kind>/<model>` in a tar."""
    files = (file for depth in (1, 2, 3) for file in path.glob("*/" * depth + "chunk-*-trace.csv"))
    return sorted({file.parent for file in files if _file_in_folder(file)})


def client_files(path: Path) -> Iterator[ClientFile]:
    """Yield the client files of a folder or tar, one at a time in memory; TraceError if it cannot be read."""
    try:
        yield from _of_folder(path) if path.is_dir() else _of_tar(path)
    except _DAMAGE as error:
        raise TraceError([f"{path}:1:1: cannot be read: {error}"]) from error


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a tar, or of the names and contents of a folder's client files, in hexadecimal."""
    if not path.is_dir():
        return sha256(path)
    names = sorted(filter(_file_in_folder, path.iterdir()))
    lines = "".join(f"{sha256(file)}  {file.name}\n" for file in names)
    return hashlib.sha256(lines.encode()).hexdigest()


def _of_folder(path: Path) -> Iterator[ClientFile]:
    for file in sorted(path.iterdir()):
        if found := _file_in_folder(file):
            yield _client_file(found, str(file), file.read_bytes())


def _of_tar(path: Path) -> Iterator[ClientFile]:
    model: PurePosixPath | None = None
    with tarfile.open(path) as archive:
        for member in archive:
            found = _file_in_tar(member)
            content = archive.extractfile(member) if found else None
            if found is None or content is None:
                continue
            folder = PurePosixPath(member.name).parent
            if model is not None and folder != model:
                raise TraceError(
                    [f"{path}:1:1: must hold the clients of one model, got those of {model} and {folder}: unpack one"]
                )
            model = folder
            yield _client_file(found, f"{path}:{found[0]}", content.read())


def _client_file(found: re.Match[str], place: str, content: bytes) -> ClientFile:
    return ClientFile(int(found[1]), cast(Part, found[2]), place, content.decode("utf-8-sig", errors="replace"))


def _file_in_folder(file: Path) -> re.Match[str] | None:
    return _NAME.fullmatch(file.name) if file.is_file() else None


def _file_in_tar(member: tarfile.TarInfo) -> re.Match[str] | None:
    return _NAME.fullmatch(PurePosixPath(member.name).name) if member.isfile() else None
