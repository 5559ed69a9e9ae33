"""What the tests of clients share: writing client files as ServeGen does, and their traffic as one piece."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np

from traces.clients import Mixture, Recorded
from traces.clients.merging import Merged

IDLE = "0,0,,0,0"
TEN = "{10: 1.0}"


def chunk(folder: Path, number: int, *windows: str, prompt: str = TEN, output: str = TEN, **fields: str) -> Path:
    """Write a client: what follows the start of each window of 600 s, and one block of lengths from 0 s on."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{600 * index},{window}" for index, window in enumerate(windows)]
    (folder / f"chunk-{number}-trace.csv").write_text("\n".join(lines) + "\n")
    block = {"input_tokens": prompt, "output_tokens": output} | fields
    (folder / f"chunk-{number}-dataset.json").write_text(json.dumps({"0": block}, indent=2))
    return folder


def packed(folder: Path, path: Path, inside: str = "data/language/m") -> Path:
    """Pack a folder's files as the public archives are packed."""
    with tarfile.open(path, "w:gz") as archive:
        for file in sorted(folder.iterdir()):
            content = file.read_bytes()
            member = tarfile.TarInfo(f"{inside}/{file.name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def everything(workload: Recorded | Mixture) -> Merged:
    """Return all requests, with the numbers of their clients."""
    pieces = list(workload.drawn())
    return Merged(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in Merged.__slots__))


def of_client(requests: Merged, number: int) -> Merged:
    mine = requests.client == number
    return Merged(*(getattr(requests, name)[mine] for name in Merged.__slots__))


def same(a: Merged, b: Merged) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in Merged.__slots__)
