"""The command line as a user runs it: another process, its own folder of runs."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment(runs: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "SIMCORE_RUNS": str(runs), "COLUMNS": "120", **more}


def simcore(*arguments: str | Path, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `simcore` in `folder`; runs are kept in `folder/runs`."""
    command = [sys.executable, "-m", "simcore", *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, env=environment(folder / "runs", **more), capture_output=True, text=True, check=False
    )
