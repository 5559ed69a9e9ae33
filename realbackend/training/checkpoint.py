"""Checkpoint: what must outlive an interruption of a training run, in one file that is there whole or not at all."""

import os
from pathlib import Path
from typing import Any

import torch

_FORMAT = 1


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values."""
    partial = path.with_name(path.name + ".partial")
    torch.save({"format": _FORMAT, **state}, partial)
    os.replace(partial, path)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return what was written; no code in the file is run. Raises ValueError for a file that is no checkpoint."""
    try:
        state = torch.load(path, weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"checkpoint: no such file: {path}") from None
    except Exception as error:  # torch has an error of its own for each way a file can be broken
        raise ValueError(f"checkpoint: {path} cannot be read: {type(error).__name__}") from None
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        raise ValueError(f"checkpoint: {path} must be of format {_FORMAT}")
    return state
