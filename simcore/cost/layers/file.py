"""File: a profile of layers in one file, a NumPy archive whose member `header` says in JSON what the others are."""

import json
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from simcore.cost.layers.tables import Alphas, Attention, Curve, LayerTables, Uneven, columns

SCHEMA = "simcore.layers/1"


def write_layers(path: Path, tables: LayerTables) -> None:
    """Write a profile file; the same tables give the same bytes. Raises OSError."""
    members: dict[str, Any] = {}
    for kind in ("dense", "head"):
        for name, curve in getattr(tables, kind).items():
            members[f"{kind}.{name}"] = np.stack([curve.counts, curve.us])
    for kind in ("attention", "uneven", "alphas"):
        table = getattr(tables, kind)
        if table is not None:
            members |= {f"{kind}.{name}": values for name, values in columns(table).items()}
    header = {
        "schema": SCHEMA,
        **{name: getattr(tables, name) for name in ("gpu", "model", "tp", "dtype", "stairs")},
        "otherwise": tables.alphas.otherwise if tables.alphas is not None else 0.0,
        "held_out_error": dict(tables.error),
        "provenance": dict(tables.provenance),
    }
    members["header"] = np.array(json.dumps(header, ensure_ascii=False))
    with path.open("wb") as file:
        np.savez_compressed(file, **members)


def read_layers(path: Path) -> LayerTables:
    """Return the profile in a file. Raises ValueError with place and rule."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            header = json.loads(str(archive["header"]))
            arrays = {name: archive[name] for name in archive.files if name != "header"}
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from None
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: must be a profile as `simcore profile import` writes it: {error}") from None
    if not isinstance(header, dict) or header.get("schema") != SCHEMA:
        found = header.get("schema") if isinstance(header, dict) else None
        raise ValueError(f"{path}: schema must be {SCHEMA!r}, got {found!r}")
    try:
        attention = _table(Attention, "attention", arrays)
        if attention is None:
            raise KeyError("attention")
        return LayerTables(
            gpu=header["gpu"],
            model=header["model"],
            tp=header["tp"],
            dtype=header["dtype"],
            dense=_curves("dense", arrays),
            head=_curves("head", arrays),
            attention=attention,
            uneven=_table(Uneven, "uneven", arrays),
            alphas=_table(Alphas, "alphas", arrays, otherwise=header["otherwise"]),
            stairs=header["stairs"],
            provenance=header["provenance"],
            error=header["held_out_error"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: damaged: {error} is missing") from None


def _curves(kind: str, arrays: dict[str, Any]) -> dict[str, Curve]:
    names = [name.partition(".")[2] for name in arrays if name.startswith(f"{kind}.")]
    return {name: Curve(*arrays[f"{kind}.{name}"]) for name in names}


def _table(kind: Any, name: str, arrays: dict[str, Any], **more: float) -> Any:
    named = [part.name for part in fields(kind) if part.name not in more]
    if f"{name}.{named[0]}" not in arrays:
        return None
    return kind(**{part: arrays[f"{name}.{part}"] for part in named}, **more)
