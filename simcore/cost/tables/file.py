"""File: tables in one file, a NumPy archive whose member `header` says in JSON what the others are."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from simcore.cost.tables.table import AXES, LABELS, Table, Tables

SCHEMA = "simcore.tables/1"


def write_tables(path: Path, tables: Tables) -> None:
    """Write a profile file; the same tables give the same bytes. Raises OSError."""
    header = {
        "schema": SCHEMA,
        "gpu": tables.gpu,
        "sizes": dict(tables.sizes),
        "tables": [
            {"term": table.term, "labels": dict(table.labels), "axes": {k: list(v) for k, v in table.axes.items()}}
            for table in tables.tables
        ],
        "held_out_error": dict(tables.error),
        "provenance": dict(tables.provenance),
    }
    members: dict[str, Any] = {f"table_{i}": table.seconds for i, table in enumerate(tables.tables)}
    members["header"] = np.array(json.dumps(header, ensure_ascii=False))
    with path.open("wb") as file:
        np.savez_compressed(file, **members)


def holds_tables(path: Path) -> bool:
    """Return whether a file is such an archive, by its first bytes."""
    return zipfile.is_zipfile(path)


def read_tables(path: Path) -> Tables:
    """Return the tables in a profile file. Raises ValueError with place and rule."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            header = json.loads(str(archive["header"]))
            arrays = {name: archive[name] for name in archive.files if name != "header"}
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: must be an archive of tables, as `simcore profile import` writes: {error}") from None
    if not isinstance(header, dict) or header.get("schema") != SCHEMA:
        found = header.get("schema") if isinstance(header, dict) else None
        raise ValueError(f"{path}: schema must be {SCHEMA!r}, got {found!r}")
    try:
        found = tuple(_table(entry, arrays[f"table_{i}"]) for i, entry in enumerate(header["tables"]))
        return Tables(header["gpu"], found, header["sizes"], header["provenance"], header["held_out_error"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: damaged: {error}") from None


def _table(entry: dict[str, Any], seconds: Any) -> Table:
    term, labels, axes = entry["term"], entry["labels"], {k: tuple(v) for k, v in entry["axes"].items()}
    if tuple(axes) != AXES[term] or tuple(labels) != LABELS[term]:
        raise ValueError(f"{term} must have axes {AXES[term]} and labels {LABELS[term]}, got {entry}")
    if seconds.shape != tuple(len(points) for points in axes.values()) or not (seconds[np.isfinite(seconds)] > 0).all():
        raise ValueError(f"{term} {labels} must have a time above 0 for each crossing of its axes, or none")
    return Table(term, labels, axes, seconds)
