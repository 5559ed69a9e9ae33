"""Folder: where the results of a study go, and what of an earlier run there is cleared away."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import Any

from simcore.study.dump import yaml_text
from simcore.study.errors import Problem, StudyError
from simcore.study.resolve import Resolved

RESOLVED = "study.resolved.yaml"
FAILED = "failed.json"
TIMELINES = "timelines"
WRITTEN = ("summary.json", "capacity.json", "*.parquet", "report.html", FAILED, RESOLVED, "plots", "vllm", TIMELINES)
"""What a run leaves in its folder; an earlier one's is removed first."""

OTHER_FILES = "holds other files; name a new folder, an empty one, or that of an earlier run"


def runs_root() -> Path:
    """Return the folder of all runs: `SIMCORE_RUNS`, or `runs` where the command is given."""
    return Path(os.environ.get("SIMCORE_RUNS") or "runs")


def default_out(root: Path, study: str) -> Path:
    """Return a new folder named after the study and the time, in UTC; a number follows where that one is taken."""
    first = root / f"{study}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    # Runs that only read finished cells end within the second; results that are still in use must not go.
    others = (first.with_name(f"{first.name}-{number}") for number in count(2))
    return next(path for path in chain([first], others) if not path.exists())


def prepare(out: Path) -> None:
    """Make `out` an empty result folder. Raises StudyError if that cannot or should not be done."""
    with writing(out):
        if out.exists() and not out.is_dir():
            raise StudyError([Problem(str(out), "", "a file is in the way of the result folder")])
        if out.is_dir() and any(out.iterdir()) and not (out / RESOLVED).is_file():
            raise StudyError([Problem(str(out), "", OTHER_FILES)])
        out.mkdir(parents=True, exist_ok=True)
        for pattern in WRITTEN:
            for old in out.glob(pattern):
                if old.is_dir():
                    shutil.rmtree(old)
                else:
                    old.unlink()
        (out / RESOLVED).touch()


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Turn what the file system refuses (permission, a full disk) into a StudyError about `out`."""
    try:
        yield
    except OSError as error:
        raise StudyError([Problem(str(out), "", f"cannot be written: {error.strerror or error}")]) from None


def resolved_text(resolved: Resolved) -> str:
    """Return the study as it ran, defaults and overrides included, as YAML that runs again from any folder."""
    data: dict[str, Any] = resolved.spec.model_dump(mode="json", exclude_none=True)
    # Here null means something: no time series.
    data["sample_s"] = resolved.spec.sample_s
    for path, reference in resolved.references.items():
        here: Any = data
        for step in path[:-1]:
            here = here[step]
        here[path[-1]] = reference
    return yaml_text(data)
