"""Environment: the machine that something was found on."""

import platform
import re
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_NAMED = ("torch", "triton", "numpy", "transformers", "cuda-bindings")


def describe(dry_run: bool) -> dict[str, Any]:
    """Return what findings depend on; gpu: the name of the GPU that is to be used, None without one."""
    import torch

    gpu = torch.cuda.is_available() and not dry_run
    return {
        "gpu": torch.cuda.get_device_name() if gpu else None,
        "driver": _driver() if gpu else None,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _NAMED},
        "dry_run": dry_run,
    }


def folder_of(environment: Mapping[str, Any]) -> Path:
    """Return where findings of a GPU are kept: a folder to commit, but for those of dry runs.

    >>> str(folder_of({"gpu": "NVIDIA H200"})), str(folder_of({"gpu": None}))
    ('profiles/nvidia-h200/checks', 'runs/gpu-dry-run')
    """
    gpu = environment["gpu"]
    if gpu is None:
        return Path("runs/gpu-dry-run")
    return Path("profiles", re.sub(r"[^a-z0-9]+", "-", gpu.lower()).strip("-"), "checks")


def _driver() -> str | None:
    """Return the newest CUDA that the driver can, as 13.0."""
    try:
        driver = import_module("cuda.bindings.driver")
    except ImportError:
        return None
    error, number = driver.cuDriverGetVersion()
    return f"{number // 1000}.{number % 1000 // 10}" if not int(error) else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
