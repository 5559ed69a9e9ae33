"""Machine: where simcore is installed, cores, memory, and whether results can be kept."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import simcore
from simcore.commands.checks.check import Check
from simcore.study.folder import runs_root

GIB = 2**30


def machine() -> Iterator[Check]:
    """Yield the place of the installation, cores and memory, and the folder of runs."""
    yield Check("simcore", "ok", f"{simcore.__version__} in {Path(simcore.__file__).parent}")
    yield Check("cores", "ok", f"{_cores()}, one process each unless --jobs says otherwise")
    yield _memory()
    yield _runs()


def _cores() -> int:
    # What this process may use: less than the machine has, in a container.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> Check:
    meminfo = Path("/proc/meminfo")
    if not meminfo.is_file():
        return Check("memory", "absent", "not known on this system")
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in meminfo.open())}
    free, total = (kib.get(name, 0) * 1024 / GIB for name in ("MemAvailable", "MemTotal"))
    return Check("memory", "ok", f"{free:.1f} GiB available of {total:.1f}")


def _runs() -> Check:
    root = runs_root().absolute()
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "is not a folder" if not there.is_dir() else "may not be written"
        fix = "export SIMCORE_RUNS=a folder you may write"
        return Check("runs", "problem", f"{root}: {there} {why}", fix)
    return Check("runs", "ok", f"{root}, {shutil.disk_usage(there).free / GIB:.1f} GiB free")
