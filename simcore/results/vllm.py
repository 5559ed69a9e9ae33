"""vLLM result: a run as `vllm bench serve` prints it, and as the JSON that its `--save-result` writes.

Keys and groups: vllm/benchmarks/serve.py at commit 009e6d4a. Per-request arrays are left out, as without
`--save-detailed`.
"""

from collections.abc import Mapping
from typing import Any

NO_DATE = "19700101-000000"
"""A simulated run has no date, and equal studies give equal bytes; when it was made is in the provenance."""

_RESULT = (
    "duration",
    "completed",
    "failed",
    "total_input_tokens",
    "total_output_tokens",
    "request_throughput",
    "request_goodput",
    "output_throughput",
    "total_token_throughput",
    "max_output_tokens_per_s",
    "max_concurrent_requests",
)
_LATENCIES = ("ttft", "tpot", "itl", "e2el")


def vllm_result(
    run: Mapping[str, Any], *, model: str, request_rate: float | None, burstiness: float, label: str
) -> dict[str, Any]:
    """Return one run as a `vllm bench serve` result.

    Args:
        run: an entry of `runs` in summary.json.
        model: becomes `model_id` and `tokenizer_id`.
        request_rate: mean arrival rate, requests per second; None: "inf", as vLLM writes for a replayed trace.
        burstiness: shape of the gamma distribution of gaps; 1 is Poisson.
        label: becomes `label`.

    Statistics without data are 0.0, as vLLM writes them, `request_goodput` without an SLO null.
    """
    metrics = run["metrics"]
    result: dict[str, Any] = {
        "date": NO_DATE,
        "endpoint_type": "simcore",
        "backend": "simcore",
        "label": label,
        "model_id": model,
        "tokenizer_id": model,
        "num_prompts": metrics["arrived"],
        "system": run["system"],
        "seed": str(run["seed"]),
        "state": run["state"],
        "request_rate": "inf" if request_rate is None else float(request_rate),
        "burstiness": burstiness,
        "max_concurrency": None,
    }
    for key in _RESULT:
        result[key] = metrics[key] if metrics[key] is not None or key == "request_goodput" else 0.0
    result["rtfx"] = 0.0
    for name in _LATENCIES:
        for key in (key for key in metrics if key.endswith(f"_{name}_ms")):
            result[key] = metrics[key] if metrics[key] is not None else 0.0
    return result


_BLOCK = (
    ("Successful requests:", "completed", "d"),
    ("Failed requests:", "failed", "d"),
    ("Request rate configured (RPS):", "request_rate", ".2f"),
    ("Benchmark duration (s):", "duration", ".2f"),
    ("Total input tokens:", "total_input_tokens", "d"),
    ("Total generated tokens:", "total_output_tokens", "d"),
    ("Request throughput (req/s):", "request_throughput", ".2f"),
    ("Request goodput (req/s):", "request_goodput", ".2f"),
    ("Output token throughput (tok/s):", "output_throughput", ".2f"),
    ("Peak output token throughput (tok/s):", "max_output_tokens_per_s", ".2f"),
    ("Peak concurrent requests:", "max_concurrent_requests", ".2f"),
    ("Total token throughput (tok/s):", "total_token_throughput", ".2f"),
)
_BLOCK_LATENCIES = (
    ("ttft", "Time to First Token"),
    ("tpot", "Time per Output Token (excl. 1st token)"),
    ("itl", "Inter-token Latency"),
    ("e2el", "End-to-end Latency"),
)


_BLOCK_MECHANISMS = (
    ("Prefix cache hit rate:", "prefix_hit_rate", ".3f"),
    ("Swapped out:", "swap_outs", "d"),
    ("Handed off:", "handoffs", "d"),
    ("Requeued:", "requests_requeued", "d"),
    ("Programs completed:", "programs_completed", "d"),
    ("Mean job completion time (s):", "job_completion_time_s_mean", ".2f"),
    ("Median job completion time (s):", "job_completion_time_s_median", ".2f"),
    ("P99 job completion time (s):", "job_completion_time_s_p99", ".2f"),
)
"""Not in vLLM's block: it serves one model on one server and knows no programs."""


def vllm_block(metrics: Mapping[str, Any], request_rate: float | None = None) -> str:
    """Return one run in the words and columns of `vllm bench serve`; lines without data are left out."""
    values = {**metrics, "request_rate": request_rate}

    def known_lines(lines: tuple[tuple[str, str, str], ...]) -> list[str]:
        known = [line for line in lines if values.get(line[1]) is not None]
        return [f"{label:<40} {values[key]:<10{form}}" for label, key, form in known]

    lines = [f"{' Serving Benchmark Result ':=^50}", *known_lines(_BLOCK)]
    for name, heading in _BLOCK_LATENCIES:
        known = [key for key in metrics if key.endswith(f"_{name}_ms") and metrics[key] is not None]
        lines += [f"{heading:-^50}"] if known else []
        for key in known:
            statistic = key.split("_", 1)[0].capitalize()
            lines.append(f"{f'{statistic} {name.upper()} (ms):':<40} {metrics[key]:<10.2f}")
    mechanisms = known_lines(_BLOCK_MECHANISMS)
    lines += [f"{'Mechanisms and Programs':-^50}", *mechanisms] if mechanisms else []
    return "\n".join([*(line.rstrip() for line in lines), "=" * 50])
