"""Folder: a profile as LLMServingSim's profiler leaves it, read and checked.

github.com/casys-kaist/LLMServingSim, `profiler/perf/<gpu>/<model>/<dtype>/tp<N>`: CSV files of microseconds of one
layer, measured inside vLLM, and `meta.yaml` beside them or in the folder above.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simcore.cost.hardware import Hardware, load_hardware
from simcore.cost.layers.attention import tables_of
from simcore.cost.layers.device import shipped
from simcore.cost.layers.held_out import held_out_errors, prefers_stairs
from simcore.cost.layers.possible import require_possible
from simcore.cost.layers.tables import (
    HEAD,
    ONCE,
    OPTIONAL,
    PRODUCTS,
    SMALL,
    Alphas,
    Attention,
    Curve,
    LayerTables,
    Uneven,
    same_model,
)
from simcore.cost.model_spec import ModelSpec, load_model, model_names
from simcore.cost.tables.columns import checksums, read_columns
from simcore.cost.tables.plausible import require_device

if TYPE_CHECKING:
    import pandas as pd

UNITS = "time_us in microseconds of one layer"


def import_layers(
    folder: Path, *, model: str = "", gpu: str = "", tp: int | None = None, source: str = "", commit: str = ""
) -> LayerTables:
    """Return what a profile folder holds.

    model, gpu: name or file of what it was measured with; "": the shipped one that `meta.yaml` names, and without one
    nothing is held against its sizes and peaks. tp: degree of the shapes measured; None: N of a folder `tpN`, else 1.
    source, commit: the repository it comes from.

    Raises ValueError with file and rule for what is missing or cannot be right.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: must be a folder with attention.csv, dense.csv and per_sequence.csv")
    if (folder / "moe.csv").exists():
        raise ValueError(f"{folder}: mixtures of experts (moe.csv) are not read yet")
    meta = _meta(folder)
    degree = _degree(folder) if tp is None else tp
    spec, hardware = _model(meta, model, folder), _hardware(meta, gpu, folder)
    dense = _curves(folder / "dense.csv", "tokens", (*PRODUCTS, *SMALL, *ONCE))
    head = _curves(folder / "per_sequence.csv", "sequences", HEAD)
    attention = _attention(folder / "attention.csv")
    tables = LayerTables(
        gpu=str(meta["gpu"]),
        model=str(meta["model"]),
        tp=degree,
        dtype=str(meta.get("variant", "bf16")),
        dense=dense,
        head=head,
        attention=attention,
        uneven=_uneven(folder / "skew.csv", attention),
        alphas=_alphas(folder / "skew_fit.csv", meta, degree),
        stairs=prefers_stairs(dense),
        provenance=_provenance(folder, meta, source, commit),
    )
    if spec is not None and hardware is not None:
        require_possible(tables, spec, hardware, folder)
    return replace(tables, error=held_out_errors(tables))


def _attention(path: Path) -> Attention:
    sizes = ("prefill_chunk", "kv_prefill", "n_decode", "kv_decode")
    rows = read_columns(path, sizes, "time_us").drop_duplicates()
    _require_once(path, rows, sizes)
    if not ((rows.prefill_chunk == 0) & (rows.n_decode > 0)).any():
        raise ValueError(f"{path}: must have batches of decodes alone (prefill_chunk 0), got none")
    if not (rows.prefill_chunk > 0).any():
        raise ValueError(f"{path}: must have batches with a prefill chunk, got none")
    return Attention(*(rows[name].to_numpy(np.float64) for name in (*sizes, "time_us")))


def _curves(path: Path, count: str, known: tuple[str, ...]) -> dict[str, Curve]:
    rows = read_columns(path, (count,), "time_us", ("layer",)).drop_duplicates()
    _require_once(path, rows, ("layer", count))
    found = sorted(rows.layer.astype(str).unique())
    unknown = [name for name in found if name not in known]
    if unknown:
        raise ValueError(f"{path}: layer must be one of {', '.join(known)}, got {', '.join(unknown)}")
    missing = [name for name in known if name not in found and name not in OPTIONAL]
    if missing:
        raise ValueError(f"{path}: layers are missing: {', '.join(missing)}")
    curves = {}
    for name in found:
        part = rows[(rows.layer == name) & (rows[count] > 0)].sort_values(count)
        curves[name] = Curve(part[count].to_numpy(np.float64), part["time_us"].to_numpy(np.float64))
    return curves


def _uneven(path: Path, attention: Attention) -> Uneven | None:
    """Return batches of one skew, the one most were measured with: others are too few to interpolate between.

    Some profilers add the iterations of a measurement up here, and not in `attention.csv`: the even batches tell.
    """
    if not path.exists():
        return None
    sizes = ("pc", "kp", "n", "nb", "kv_mean", "kv_big")
    rows = read_columns(path, sizes, "t_skew_us", ("skew", "t_mean_us", "t_max_us")).drop_duplicates()
    rows = rows[(rows["skew"] == rows["skew"].mode()[0]) & (rows.t_mean_us > 0)]
    rows = rows.drop_duplicates(list(sizes))
    even = rows[rows.pc == 0]
    table, _ = tables_of(attention)
    again = [us / table.at(*at) for *at, us in even[["n", "kv_mean", "t_mean_us"]].itertuples(index=False)]
    iterations = max(1, round(float(np.median(again)))) if again else 1
    times = [rows[name].to_numpy(np.float64) / iterations for name in ("t_mean_us", "t_max_us", "t_skew_us")]
    return Uneven(*(rows[name].to_numpy(np.float64) for name in sizes), *times)


def _alphas(path: Path, meta: Mapping[str, Any], tp: int) -> Alphas | None:
    """Return the profiler's own fit for batches of decodes alone."""
    if not path.exists():
        return None
    import pandas as pd

    rows = pd.read_csv(path)
    labels = ("n_label", "skew_rate_label", "kv_big_label")
    missing = [name for name in ("pc", *labels, "alpha") if name not in rows]
    if missing:
        raise ValueError(f"{path}: columns are missing: {', '.join(missing)}; the file has {', '.join(rows.columns)}")
    rows = rows[rows.pc == 0]
    decodes, share, longest = (np.array([_bound(path, str(label)) for label in rows[name]]) for name in labels)
    fit = meta.get("skew_fit", {}).get("per_tp", {}).get(tp, {})
    # Values outside 0 to 1 are noise: nothing is faster than even, or slower than all as long as the longest.
    alpha = rows.alpha.to_numpy(np.float64).clip(0.0, 1.0)
    return Alphas(decodes, share, longest, alpha, float(fit.get("alpha_default", 0.0)))


def _bound(path: Path, label: str) -> float:
    """Return the upper bound of a bucket: `n<=8` is 8, `sr<=5%` 0.05, `kvB<=4k` 4096, and above all others infinite."""
    match = re.fullmatch(r"\w+(<=|>)(\d+)([%k]?)", label)
    if match is None:
        raise ValueError(f"{path}: a label must be like n<=8, sr<=5% or kvB>16k, got {label!r}")
    sign, number, unit = match.groups()
    if sign == ">":
        return np.inf
    return float(number) * {"": 1.0, "%": 0.01, "k": 1024.0}[unit]


def _meta(folder: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path = next((p / "meta.yaml" for p in (folder, folder.parent) if (p / "meta.yaml").exists()), None)
    if path is None:
        raise ValueError(f"{folder}: must have a meta.yaml in it, or in the folder above")
    try:
        meta = YAML(typ="safe").load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from None
    missing = [name for name in ("gpu", "model") if not isinstance(meta, dict) or not meta.get(name)]
    if missing:
        raise ValueError(f"{path}: keys are missing: {', '.join(missing)}")
    return dict(meta)


def _degree(folder: Path) -> int:
    named = re.fullmatch(r"tp(\d+)", folder.resolve().name)
    return int(named.group(1)) if named else 1


def _model(meta: Mapping[str, Any], name: str, folder: Path) -> ModelSpec | None:
    dtype = str(meta.get("variant", "bf16")).split("-")[0]
    weights: Any = dtype if dtype in ("bf16", "fp16", "fp8") else "bf16"
    if name:
        spec = load_model(name, weights_dtype=weights)
        if not same_model(str(meta["model"]), spec.name):
            raise ValueError(f"{folder}: measured for {meta['model']}, not for {spec.name}")
        return spec
    known = next((name for name in model_names() if same_model(str(meta["model"]), name)), None)
    return None if known is None else load_model(known, weights_dtype=weights)


def _hardware(meta: Mapping[str, Any], name: str, folder: Path) -> Hardware | None:
    gpu = str(meta["gpu"])
    if name:
        hardware = load_hardware(name)
        require_device(gpu, hardware, folder)
        return hardware
    return shipped(gpu)


def _provenance(folder: Path, meta: Mapping[str, Any], source: str, commit: str) -> dict[str, Any]:
    named = ("gpu", "model", "variant", "vllm_version", "cuda_version", "profiler_version", "profiled_at")
    files = sorted(path for path in folder.iterdir() if path.suffix in (".csv", ".yaml"))
    return {
        "format": "llmservingsim",
        "source": source or "not given",
        "commit": commit or "not given",
        **{name: str(meta[name]) for name in named if name in meta},
        "units": UNITS,
        "files": checksums(files),
    }


def _require_once(path: Path, rows: "pd.DataFrame", sizes: tuple[str, ...]) -> None:
    again = rows.duplicated(list(sizes))
    if again.any():
        first = rows[again].iloc[0]
        at = ", ".join(f"{name} {first[name]}" for name in sizes)
        raise ValueError(f"{path}: a point must be there once, got {at} twice ({int(again.sum())} such points)")
