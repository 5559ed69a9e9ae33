"""Words: where a chart was taken, and what was promised there."""

from collections.abc import Mapping
from typing import Any

from simcore.results.breaking import RATE
from simcore.results.plots.style import point_words


def where_words(point: Mapping[str, Any]) -> str:
    """Return a sweep point with its units, behind " at "; empty without a sweep.

    >>> where_words({"workload.rate": 8.0, "cluster.instances": 2})
    ' at rate 8 req/s, instances 2'
    """
    words = point_words(point, {RATE: "req/s"})
    return f" at {words}" if words else ""


def slo_words(slo: Mapping[str, Any]) -> str:
    """Return an SLO in words, of each class only what is its own.

    >>> slo_words({"ttft_ms": 500, "tpot_ms": 50, "classes": {"chat": {"ttft_ms": 200, "tpot_ms": 50}}})
    'TTFT ≤ 500 ms, TPOT ≤ 50 ms; chat: TTFT ≤ 200 ms'
    """
    common = {key: bound for key, bound in slo.items() if key != "classes"}
    words = [_limits(common)] if common else []
    for name, limits in slo.get("classes", {}).items():
        own = {key: bound for key, bound in limits.items() if bound != common.get(key)}
        words += [f"{name}: {_limits(own)}"] if own else []
    return "; ".join(words)


def _limits(limits: Mapping[str, float]) -> str:
    return ", ".join(f"{key.removesuffix('_ms').upper()} ≤ {bound:g} ms" for key, bound in limits.items())
