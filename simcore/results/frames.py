"""Frames: the files of a result folder as tidy pandas frames, for notebooks and plots."""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.results.stats import point_text

if TYPE_CHECKING:
    import pandas as pd


def read_summary(out: Path) -> dict[str, Any]:
    """Return `summary.json` of a result folder."""
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return summary


def summary_frame(out: Path) -> "pd.DataFrame":
    """Return one row per run: system, a column per sweep key, seed, state, then every metric."""
    import pandas as pd

    rows = [
        {"system": run["system"], **run["point"], "seed": run["seed"], "state": run["state"], **run["metrics"]}
        for run in read_summary(out)["runs"]
    ]
    return pd.DataFrame(rows)


def classes_frame(out: Path) -> "pd.DataFrame":
    """Return one row per run and request class: system, a column per sweep key, seed, class, then its metrics.

    Without rows where there is only one class.
    """
    import pandas as pd

    rows = [
        {"system": run["system"], **run["point"], "seed": run["seed"], "request_class": name, **metrics}
        for run in read_summary(out)["runs"]
        for name, metrics in run.get("classes", {}).items()
    ]
    return pd.DataFrame(rows)


def requests_frame(
    out: Path, system: str | None = None, *, columns: Sequence[str] | None = None, **point: Any
) -> "pd.DataFrame":
    """Return one row per request, only the runs asked for; the rest of the file is not decoded.

    Args:
        out: result folder.
        system: one system; None: all.
        columns: only these columns; None: all.
        point: sweep keys and values, e.g. `**{"workload.rate": 8}` or, by last part, `rate=8`.

    Columns: `simcore.results.schema.REQUESTS`, after system, seed and point. Raises ValueError for a system, key
    or value that no run has.
    """
    return _frame(out, "requests", system, columns, point)


def instances_frame(
    out: Path, system: str | None = None, *, columns: Sequence[str] | None = None, **point: Any
) -> "pd.DataFrame":
    """Return one row per instance and sample; arguments and errors as in `requests_frame`."""
    return _frame(out, "instances", system, columns, point)


def lessons_frame(
    out: Path, system: str | None = None, *, columns: Sequence[str] | None = None, **point: Any
) -> "pd.DataFrame":
    """Return one row per training step of a model that learns; arguments and errors as in `requests_frame`."""
    return _frame(out, "lessons", system, columns, point)


def _frame(
    out: Path, name: str, system: str | None, columns: Sequence[str] | None, point: Mapping[str, Any]
) -> "pd.DataFrame":
    import pyarrow.parquet as pq

    summary = read_summary(out)
    runs = _matching(summary["runs"], system, point)
    systems = list(dict.fromkeys(run["system"] for run in runs))
    points = list(dict.fromkeys(point_text(run["point"]) for run in runs))
    filters = [("system", "in", systems), ("point", "in", points)]
    wanted = None if columns is None else list(columns)
    table = pq.read_table(out / f"{name}.parquet", columns=wanted, filters=filters)
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _matching(runs: list[Mapping[str, Any]], system: str | None, point: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if system is not None:
        systems = list(dict.fromkeys(run["system"] for run in runs))
        if system not in systems:
            near = get_close_matches(system, systems, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(f"unknown system {system!r}; have {', '.join(systems)}{hint}")
        runs = [run for run in runs if run["system"] == system]
    for key, value in point.items():
        names = list(dict.fromkeys(name for run in runs for name in run["point"]))
        full = [name for name in names if name == key or name.rsplit(".", 1)[-1] == key]
        if len(full) != 1:
            raise ValueError(f"sweep key {key!r} must name one of {', '.join(names) or 'no sweep keys'}")
        values = list(dict.fromkeys(run["point"].get(full[0]) for run in runs))
        if value not in values:
            raise ValueError(f"{full[0]} must be one of {', '.join(map(str, values))}, got {value!r}")
        runs = [run for run in runs if run["point"].get(full[0]) == value]
    return runs
