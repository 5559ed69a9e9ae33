"""vLLM result: a run as the JSON that `vllm bench serve --save-result` writes, for tools that read such files.

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
