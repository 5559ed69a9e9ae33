"""Vidur: the linear layers of one model by tokens and tensor-parallel degree, and all-reduces, as Microsoft publishes.

github.com/microsoft/vidur, `data/profiling`. Times are medians in milliseconds; all-reduce sizes are in bytes.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from simcore.cost.tables.columns import read_columns

if TYPE_CHECKING:
    import pandas as pd

UNITS = "time_stats.*.median in milliseconds, size in bytes"
_PRODUCTS = ("attn_pre_proj", "attn_post_proj", "mlp_up_proj", "mlp_down_proj")
_ELEMENTWISE = ("input_layernorm", "post_attention_layernorm", "attn_rope", "mlp_act", "add")
_SIZES = {"hidden": "n_embd", "heads": "n_head", "kv_heads": "n_kv_head", "intermediate": "n_expanded_embd"}
_OF_A_LAYER = {"layer_matmuls": _PRODUCTS, "layer_elementwise": _ELEMENTWISE, "embedding": ("emb",)}


def is_allreduce(path: Path) -> bool:
    """Return whether a file has all-reduces, by its name."""
    return "all_reduce" in path.name


def table_files(folder: Path) -> list[Path]:
    """Return the tables in a folder, compressed or not. Raises ValueError when there is none."""
    found = sorted(
        path for path in folder.iterdir() if path.name.removesuffix(".gz").endswith(("mlp.csv", "all_reduce.csv"))
    )
    if not found:
        raise ValueError(f"{folder}: must have tables of Vidur (*mlp.csv, *all_reduce.csv, or .gz), got none")
    return found


def read_layers(path: Path) -> tuple[dict[str, "pd.DataFrame"], dict[str, int]]:
    """Return the rows of each kind of table in a file of linear layers, and the model's sizes."""
    times = {name: f"time_stats.{name}.median" for name in (*_PRODUCTS, *_ELEMENTWISE, "emb")}
    rows = None
    for time in times.values():
        # Each column is a time of its own, so each is checked as one.
        checked = read_columns(path, ("num_tokens", "num_tensor_parallel_workers", *_SIZES.values()), time)
        rows = checked if rows is None else rows.assign(**{time: checked[time]})
    assert rows is not None
    sizes = {name: _one(rows, column, path) for name, column in _SIZES.items()}
    # The authors measure no tokens at all too; a layer with nothing to do is not run.
    rows = rows[rows.num_tokens > 0]
    named = rows.assign(tokens=rows.num_tokens, tp=rows.num_tensor_parallel_workers)
    return {
        term: named[["tokens", "tp"]].assign(seconds=rows[[times[name] for name in names]].sum(axis=1) / 1e3)
        for term, names in _OF_A_LAYER.items()
    }, sizes


def read_allreduce(path: Path) -> "pd.DataFrame":
    """Return the rows of a file of all-reduces inside one node."""
    columns = ("num_workers", "size", "devices_per_node")
    rows = read_columns(path, columns, "time_stats.all_reduce.median", ("collective",))
    rows = rows[(rows.collective == "all_reduce") & (rows.num_workers == rows.devices_per_node)]
    seconds = rows["time_stats.all_reduce.median"] / 1e3
    return rows.assign(gpus=rows.num_workers, bytes=rows["size"], backend="nccl", seconds=seconds)


def _one(rows: "pd.DataFrame", column: str, path: Path) -> int:
    values = sorted(rows[column].unique().tolist())
    if len(values) != 1:
        raise ValueError(f"{path}: {column} must be one model's, got {', '.join(f'{value:g}' for value in values)}")
    return int(values[0])
