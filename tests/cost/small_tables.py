"""Small tables: measurements of round numbers on the machine of round numbers, for one layer of width 100."""

from collections.abc import Callable, Mapping

import numpy as np

from simcore.cost import Hardware, ModelSpec
from simcore.cost.tables import Table, TableCost, Tables
from tests.cost.machines import hardware, model

US = 1e-6


def table(
    term: str,
    labels: Mapping[str, str | int],
    axes: Mapping[str, tuple[float, ...]],
    seconds: Callable[..., np.ndarray] | np.ndarray,
) -> Table:
    """Return a table whose times a function of its axes gives, or an array."""
    values = seconds if isinstance(seconds, np.ndarray) else seconds(*np.meshgrid(*axes.values(), indexing="ij"))
    return Table(term, dict(labels), dict(axes), np.asarray(values, dtype=np.float64))


def gemm(seconds: Callable[..., np.ndarray] | np.ndarray = lambda m, n, k: (2 + m) * US + 0 * n * k) -> Table:
    """A product of m rows: 2 us, and 1 us a row."""
    return table("gemm", {"dtype": "bf16"}, {"m": (1, 10, 100), "n": (10, 400), "k": (10, 400)}, seconds)


def decode(seconds: Callable[..., np.ndarray] | np.ndarray = lambda h, b, c: (10 + b * c) * US) -> Table:
    """Attention of a batch: 10 us, and 1 us a token of context."""
    axes = {"heads": (4.0,), "batch": (1, 10, 100), "context": (2, 10, 1000)}
    return table("decode_attention", {"kv_dtype": "bf16", "head_dim": 10, "kv_heads": 2}, axes, seconds)


def prefill(seconds: Callable[..., np.ndarray] | np.ndarray = lambda h, b, t: b * h * t * (t + 1) / 2 * US) -> Table:
    """Attention of whole prompts: 1 us a pair of tokens and head."""
    axes = {"heads": (4.0,), "batch": (1, 2, 4), "tokens": (1, 10, 100)}
    return table("prefill_attention", {"kv_dtype": "bf16", "head_dim": 10, "kv_heads": 2}, axes, seconds)


def tables(*parts: Table, **more: object) -> Tables:
    """Tables of the machine of round numbers."""
    return Tables("round", parts, **more)  # type: ignore[arg-type]


def cost(*parts: Table, tp: int = 1, of: ModelSpec | None = None, on: Hardware | None = None, **more) -> TableCost:
    """The cost of the tiny model from tables."""
    return TableCost(of or model(), on or hardware(), tables(*parts), tp, **more)


def steps() -> list[Table]:
    """Whole steps: a prefill takes 100 us and 1 us a token, a decode 10 us and 2 us a request at 50 tokens each."""
    return [
        table("step_prefill", {"tp": 1}, {"tokens": (1, 10, 100)}, lambda t: (100 + t) * US),
        table("step_decode", {"tp": 1, "context": 50}, {"batch": (1, 10, 100)}, lambda b: (10 + 2 * b) * US),
        # A token of context adds 10 ns to a request alone.
        table("step_context", {"tp": 1}, {"context": (50, 150, 250)}, lambda c: (12 + (c - 50) / 100) * US),
    ]


COSTS = [cost(gemm(), decode(), prefill()), cost(*steps()), cost(gemm(), decode(), graph_sizes=(8, 64))]
"""Costs from tables, for the promises every cost is held to."""
