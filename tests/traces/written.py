"""What the tests of traffic share: writing small trace files, and a workload as one piece."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from simcore.contract.traffic import Arrivals, Workload
from traces import fit

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "traces" / "samples"
SHARED = ROOT.parent / "shared" / "traces"
HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"


def azure(folder: Path, *rows: str) -> Path:
    """Write an Azure file with these rows below the header."""
    path = folder / "azure.csv"
    path.write_text("\n".join((HEADER, *rows)) + "\n")
    return path


def mooncake(folder: Path, *rows: str) -> Path:
    path = folder / "mooncake.jsonl"
    path.write_text("\n".join(rows) + "\n")
    return path


def lines(folder: Path, name: str, *rows: str | Mapping[str, object]) -> Path:
    """Write a file of these lines, objects as JSON."""
    path = folder / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return path


def request(timestamp: float, prompt: int = 512, output: int = 10, hash_ids: list[int] | None = None) -> str:
    """Return one Mooncake row; its hash ids fit unless given."""
    ids = list(range(-(-prompt // 512))) if hash_ids is None else hash_ids
    return json.dumps({"timestamp": timestamp, "input_length": prompt, "output_length": output, "hash_ids": ids})


def whole(workload: Workload) -> Arrivals:
    return fit.columns(workload)


def seen(workload: Workload) -> Any:
    """Return a workload as one piece, for tests that know which columns it has."""
    return whole(workload)


def left_out(workload: Any) -> int:
    """Return how many bad rows a workload leaves out."""
    skipped: int = workload.skipped
    return skipped


def shared(name: str) -> Path:
    """Return a public trace kept beside the checkout, or skip."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"public trace {name} is not beside the checkout")
    return path
