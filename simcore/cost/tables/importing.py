"""Importing: measurements that others published, as tables with their origin and their error on held-out points."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from simcore.cost.hardware import load_hardware
from simcore.cost.model_spec import load_model
from simcore.cost.tables.columns import checksums, tables_of
from simcore.cost.tables.held_out import held_out_errors
from simcore.cost.tables.plausible import plausible
from simcore.cost.tables.sources import Format, Wanted, read_sources
from simcore.cost.tables.table import Table, Tables


def import_tables(
    format: Format,
    sources: Sequence[Path],
    gpu: str,
    *,
    model: str = "",
    commit: str = "",
    drop_impossible: bool = False,
) -> Tables:
    """Return the tables in published files.

    sources: one folder, or files. gpu: name or file of the GPU they were measured on. model: name or file of the model,
    for formats that measure one. commit: of the repository they come from. drop_impossible: leave out points above the
    GPU's peak, which are an error otherwise.

    Raises ValueError with file and rule for whatever cannot be right.
    """
    hardware = load_hardware(gpu)
    read = read_sources(format, sources, Wanted(gpu, hardware, load_model(model) if model else None))
    tables: list[Table] = []
    repeats, dropped = {}, 0
    for term, rows, path in read.kinds:
        found, repeated = tables_of(term, rows, path)
        for table in found:
            table, without = plausible(table, hardware, read.sizes, path, drop=drop_impossible)
            tables.append(table)
            dropped += without
        if repeated.points:
            repeats[f"{path.name}: {term}"] = asdict(repeated)
    provenance: dict[str, Any] = {"format": format, "commit": commit or "not given", "gpu": hardware.name, **read.facts}
    provenance |= {"files": checksums(sorted({path for _, _, path in read.kinds})), "points": _count(tables)}
    provenance |= {"measured_again": repeats, "dropped_as_impossible": dropped}
    return Tables(hardware.name, tuple(tables), read.sizes, provenance, held_out_errors(tables, hardware, read.sizes))


def _count(tables: Iterable[Table]) -> dict[str, int]:
    points: dict[str, int] = {}
    for table in tables:
        points[table.term] = points.get(table.term, 0) + len(table.points()[1])
    return points
