"""Files as `vllm bench serve` leaves them, with the keys of vllm/benchmarks/serve.py at commit 009e6d4a."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.results.vllm_formulas import Served, vllm_metrics


def vllm_file(path: Path, result: dict[str, Any], *, append: bool = False) -> Path:
    """Write a result: alone, or as a further line of a file."""
    with path.open("a" if append else "w") as file:
        file.write(json.dumps(result) + ("\n" if append else ""))
    return path


def vllm_result(requests: Sequence[Served], *, detailed: bool = False, **setup: Any) -> dict[str, Any]:
    """Return what `--save-result` writes, without e2el as by default; with `--save-detailed` the arrays too."""
    duration_s = max((request.start_s + request.latency_s for request in requests), default=0.0)
    metrics = {
        key: value if value is None else float(value) for key, value in vllm_metrics(requests, duration_s, {}).items()
    }
    kept = {
        key: value
        for key, value in metrics.items()
        if not key.endswith("_e2el_ms") and key[:3] not in ("p50", "p90", "p95")
    }
    result = {
        "date": "20260101-000000",
        "endpoint_type": "openai",
        "backend": "openai",
        "label": None,
        "model_id": "meta-llama/Llama-3.1-8B",
        "tokenizer_id": "meta-llama/Llama-3.1-8B",
        "num_prompts": len(requests),
        "request_rate": "inf",
        "burstiness": 1.0,
        "max_concurrency": None,
        "duration": duration_s,
        **kept,
        **setup,
    }
    if detailed:
        result |= {
            "input_lens": [request.prompt_tokens for request in requests],
            "output_lens": [request.output_tokens if request.success else 0 for request in requests],
            "ttfts": [request.ttft_s for request in requests],
            "itls": [list(request.itl_s) for request in requests],
            "latencies": [request.latency_s for request in requests],
            "start_times": [1234.5 + request.start_s for request in requests],
            "errors": ["" if request.success else "refused" for request in requests],
        }
    return result
