"""Opening: from what a user wrote, a catalogue name or a file, to a workload."""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import cast

from traces import formats
from traces.catalogue import catalogue_names, catalogued
from traces.clock import UNIT_NAMES, TimeUnit
from traces.parameters import Parameters, raise_if_any
from traces.problems import TraceError
from traces.programs import Programs
from traces.replay import Replay
from traces.survey import survey
from traces.synthetic import Synthetic


def open_trace(
    trace: str | Path,
    *,
    format: str | None = None,
    time_unit: str | None = None,
    rate: float | None = None,
    requests: int | None = None,
    seed: int = 0,
    replication: int = 0,
    base: Path = Path("."),
) -> Replay | Synthetic | Programs:
    """Return the workload of a catalogue name (generated) or of a file (replayed).

    format: of a file, found from its first line if None. time_unit: "s" or "ms", of times that are plain numbers;
    the format's own if None, and then a mean rate that cannot be true is an error.
    rate: mean arrival rate per second to scale to, of requests, of programs where those are drawn; None: as it is.
    requests: how many; of a file the first ones (their mean rate is what is scaled), all if None.
    seed, replication: choose the draws of a generated workload; a replay has none.
    base: what a relative path is relative to.

    Raises TraceError (a file that cannot be used) or ParameterError; both are ValueError and list all problems.
    """
    problems: list[str] = []
    given = {"rate": rate, "requests": requests, "seed": seed, "replication": replication}
    parameters = Parameters("", given, problems)
    if rate is not None:
        parameters.positive("rate")
    if requests is not None:
        parameters.integer("requests", least=1)
    parameters.integer("seed", least=0)
    parameters.integer("replication", least=0)
    unit = _reading(format, time_unit, problems)
    name = str(trace)
    in_catalogue = name in catalogue_names()
    if in_catalogue and (format is not None or time_unit is not None):
        key = "format" if format is not None else "time_unit"
        problems.append(f"{key}: is for files, but {name} is in the catalogue; for a file of that name write ./{name}")
    path = base / trace
    if not in_catalogue and not os.path.exists(path):
        problems.append(_unknown(name, path))
    raise_if_any(problems)

    if in_catalogue:
        return catalogued(name, rate=rate, requests=requests, seed=seed, replication=replication)
    found = survey(path, format=format, time_unit=unit, rows=requests)
    if requests is not None and found.requests < requests:
        problems.append(f"requests: must be at most {found.requests:,}, the rows of {path}, got {requests:,}")
    raise_if_any(problems)
    return Replay.at(found, rate)


def check(
    path: str | Path, format: str | None = None, limit: int | None = None, time_unit: str | None = None
) -> list[str]:
    """Return what is wrong with the first `limit` rows (default all) of a trace file, `file:line:col: message` each.

    Raises ParameterError if `format` or `time_unit` is not a known one.
    """
    problems: list[str] = []
    unit = _reading(format, time_unit, problems)
    raise_if_any(problems)
    try:
        survey(Path(path), format=format, time_unit=unit, rows=limit)
    except TraceError as error:
        return error.problems
    return []


def _reading(format: str | None, time_unit: str | None, problems: list[str]) -> TimeUnit | None:
    """Note what is wrong with how a file is to be read, and return its time unit."""
    try:
        if format is not None:
            formats.named(format)
    except ValueError as error:
        problems.append(str(error))
    if time_unit is not None and time_unit not in UNIT_NAMES:
        problems.append(f"time_unit: must be one of {', '.join(UNIT_NAMES)}, got {time_unit!r}")
    return cast("TimeUnit | None", time_unit)


def _unknown(name: str, path: Path) -> str:
    files = sorted(file.name for file in path.parent.iterdir()) if path.parent.is_dir() else []
    near = get_close_matches(name, catalogue_names(), n=1) or get_close_matches(path.name, files, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"trace: no file {path}, and the catalogue has only {', '.join(catalogue_names())}; got {name!r}{hint}"
