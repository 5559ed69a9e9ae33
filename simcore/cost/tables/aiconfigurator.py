"""aiconfigurator: operators measured inside vLLM and NCCL, one Parquet file for each kind, as NVIDIA publishes them.

github.com/ai-dynamo/aiconfigurator, `systems/data/<gpu>`. Times are in milliseconds; `step` is what the KV cache holds
before the new token; messages are in elements of two bytes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from simcore.cost.hardware import Hardware
from simcore.cost.tables.columns import only_value, read_columns
from simcore.cost.tables.plausible import require_device

if TYPE_CHECKING:
    import pandas as pd

UNITS = "latency in milliseconds, message_size in elements of two bytes"
_ATTENTION = ("batch_size", "isl", "step", "num_heads", "num_key_value_heads", "head_dim")
_DTYPES = {"bfloat16": "bf16", "float16": "bf16", "half": "bf16"}
_ELEMENT_BYTES = 2


def operator_files(folder: Path) -> list[Path]:
    """Return the files of a folder that measure a term. Raises ValueError when there is none, or several of one."""
    found = {term: sorted(folder.glob(f"{prefix}*.parquet")) for term, (prefix, _) in _READERS.items()}
    if not any(found.values()):
        wanted = ", ".join(f"{prefix}*.parquet" for prefix, _ in _READERS.values())
        raise ValueError(f"{folder}: must have files of aiconfigurator ({wanted}), got none")
    for term, paths in found.items():
        if len(paths) > 1:
            names = ", ".join(path.name for path in paths)
            raise ValueError(f"{folder}: {term} must be in one file, got {names}: choose one version")
    return [path for paths in found.values() for path in paths]


def term_of(path: Path) -> str:
    """Return which term a file measures, by its name. Raises ValueError for none."""
    for term, (prefix, _) in _READERS.items():
        if path.name.startswith(prefix):
            return term
    names = ", ".join(f"{prefix}*.parquet" for prefix, _ in _READERS.values())
    raise ValueError(f"{path}: the name must be one of {names}")


def read_operator(term: str, path: Path, hardware: Hardware) -> tuple[str, "pd.DataFrame", str]:
    """Return (kind of table, rows with its axes, labels and `seconds`, software) of one file."""
    rows = _READERS[term][1](path)
    require_device(only_value(rows, "device", path), hardware, path)
    software = f"{only_value(rows, 'framework', path)} {only_value(rows, 'version', path)}"
    rows["seconds"] = rows["latency"] / 1e3
    return ("allreduce" if term == "nccl" else term), rows, software


_SAID = ("framework", "version", "device")


def _gemm(path: Path) -> "pd.DataFrame":
    rows = read_columns(path, ("m", "n", "k"), "latency", ("gemm_dtype", *_SAID))
    return rows.assign(dtype=rows.gemm_dtype.replace(_DTYPES))


def _attention(path: Path) -> "pd.DataFrame":
    import pandas as pd

    others = ("kv_cache_dtype", *_SAID)
    try:
        rows = read_columns(path, (*_ATTENTION, "window_size"), "latency", others)
    except ValueError as error:
        if "window_size" not in str(error):
            raise
        rows = read_columns(path, _ATTENTION, "latency", others).assign(window_size=0)
    rows = rows[rows.window_size == 0]
    names = {"batch_size": "batch", "num_heads": "heads", "num_key_value_heads": "kv_heads"}
    kv_dtype = pd.Series(rows.kv_cache_dtype.replace(_DTYPES), index=rows.index)
    return rows.rename(columns=names).assign(kv_dtype=kv_dtype)


def _prefill(path: Path) -> "pd.DataFrame":
    rows = _attention(path)
    # Prefills behind something already in the cache are not published; should they be, they are another kind.
    return rows[rows.step == 0].assign(tokens=rows.isl)


def _decode(path: Path) -> "pd.DataFrame":
    rows = _attention(path)
    return rows.assign(context=rows.step + 1)


def _custom_allreduce(path: Path) -> "pd.DataFrame":
    rows = read_columns(path, ("num_gpus", "message_size"), "latency", ("backend", *_SAID))
    backend = rows.backend.str.removeprefix("vllm_")
    return rows.assign(gpus=rows.num_gpus, bytes=rows.message_size * _ELEMENT_BYTES, backend=backend)


def _nccl(path: Path) -> "pd.DataFrame":
    rows = read_columns(path, ("num_gpus", "message_size"), "latency", ("op_name", "nccl_dtype", *_SAID))
    rows = rows[(rows.op_name == "all_reduce") & (rows.nccl_dtype == "half")]
    return rows.assign(gpus=rows.num_gpus, bytes=rows.message_size * _ELEMENT_BYTES, backend="nccl")


_READERS: dict[str, tuple[str, Callable[[Path], "pd.DataFrame"]]] = {
    "gemm": ("gemm", _gemm),
    "prefill_attention": ("context_attention", _prefill),
    "decode_attention": ("generation_attention", _decode),
    "allreduce": ("custom_allreduce", _custom_allreduce),
    "nccl": ("nccl", _nccl),
}
