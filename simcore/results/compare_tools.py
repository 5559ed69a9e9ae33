"""Other tools' exports under vLLM's keys: only what means the same there.

AIPerf: docs/reference/json-export-schema.md of ai-dynamo/aiperf (schema 1.5); its `inter_token_latency` is
(e2e - ttft) / (n - 1) of a request, so TPOT, and its `std` is of a sample, so it is left out. guidellm:
src/guidellm/benchmark/schemas of vllm-project/guidellm; `inter_token_latency_ms` is TPOT there, too, its
`time_per_output_token_ms` counts the first token and is left out, and its rates are means of a distribution, not totals
over the duration.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simcore.results.compare_source import MeasuredRun

_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1000.0, "sec": 1000.0, "seconds": 1000.0}
_AIPERF_LATENCIES = {
    "time_to_first_token": "ttft",
    "inter_token_latency": "tpot",
    "inter_chunk_latency": "itl",
    "request_latency": "e2el",
}
_AIPERF_SCALARS = {
    "request_count": "completed",
    "error_request_count": "failed",
    "request_throughput": "request_throughput",
    "output_token_throughput": "output_throughput",
    "total_isl": "total_input_tokens",
    "total_osl": "total_output_tokens",
}
_AIPERF_STATISTICS = {"avg": "mean", "p50": "median", "p90": "p90", "p95": "p95", "p99": "p99"}
_GUIDELLM_LATENCIES = {
    "time_to_first_token_ms": ("ttft", 1.0),
    "inter_token_latency_ms": ("tpot", 1.0),
    "request_latency": ("e2el", 1000.0),
}
_GUIDELLM_TOTALS = {"prompt_token_count": "total_input_tokens", "output_token_count": "total_output_tokens"}


def is_aiperf(result: Mapping[str, Any]) -> bool:
    """Return whether this is a `profile_export_aiperf.json`."""
    return isinstance(result.get("request_latency"), dict) and "unit" in result["request_latency"]


def of_aiperf(result: Mapping[str, Any]) -> MeasuredRun:
    """Return the run of an AIPerf export."""
    metrics: dict[str, float] = {}
    for theirs, name in _AIPERF_LATENCIES.items():
        block = result.get(theirs, {})
        factor = _MS.get(block.get("unit", ""))
        for key, statistic in _AIPERF_STATISTICS.items() if factor else ():
            if key in block:
                metrics[f"{statistic}_{name}_ms"] = block[key] * factor
    for theirs, key in _AIPERF_SCALARS.items():
        if isinstance(result.get(theirs), dict) and "avg" in result[theirs]:
            metrics[key] = result[theirs]["avg"]
    duration = result.get("benchmark_duration", {})
    if duration.get("unit") in _MS:
        metrics["duration"] = duration["avg"] * _MS[duration["unit"]] / 1000
    seed = (result.get("run_info") or {}).get("random_seed")
    return MeasuredRun("", {}, seed or 0, metrics)


def is_guidellm(result: Mapping[str, Any]) -> bool:
    """Return whether this is a report of guidellm."""
    benchmarks = result.get("benchmarks")
    return isinstance(benchmarks, list) and bool(benchmarks) and "request_latency" in benchmarks[0].get("metrics", {})


def of_guidellm(result: Mapping[str, Any]) -> list[MeasuredRun]:
    """Return a run for each benchmark of a guidellm report; several are points of a sweep, `benchmark` from 0."""
    benchmarks: Sequence[Mapping[str, Any]] = result["benchmarks"]
    return [
        MeasuredRun("", {"benchmark": index} if len(benchmarks) > 1 else {}, 0, dict(_guidellm_metrics(benchmark)))
        for index, benchmark in enumerate(benchmarks)
    ]


def _guidellm_metrics(benchmark: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    blocks = benchmark["metrics"]
    for theirs, (name, factor) in _GUIDELLM_LATENCIES.items():
        block = (blocks.get(theirs) or {}).get("successful") or {}
        percentiles = block.get("percentiles") or {}
        for statistic, value in {**block, **percentiles}.items():
            if statistic in ("mean", "median", "p90", "p95", "p99") and value is not None:
                yield f"{statistic}_{name}_ms", value * factor
    totals = blocks.get("request_totals") or {}
    for theirs, key in (("successful", "completed"), ("errored", "failed")):
        if theirs in totals:
            yield key, float(totals[theirs])
    for theirs, key in _GUIDELLM_TOTALS.items():
        block = (blocks.get(theirs) or {}).get("successful") or {}
        if block.get("total_sum") is not None:
            yield key, float(block["total_sum"])
    if benchmark.get("duration") is not None:
        yield "duration", float(benchmark["duration"])
