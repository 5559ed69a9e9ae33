"""vLLM's formulas, written again from what vllm/benchmarks/serve.py (commit 009e6d4a) computes, request by request.

Nothing of simcore is used: seconds as floats, every token a date of its own, numpy's statistics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

PERCENTILES = (50, 90, 95, 99)


@dataclass(frozen=True)
class Served:
    """One request as a client sees it, seconds. A failed one has no tokens."""

    start_s: float
    prompt_tokens: int
    ttft_s: float = 0.0
    itl_s: Sequence[float] = field(default_factory=list)
    success: bool = True

    @property
    def latency_s(self) -> float:
        return self.ttft_s + sum(self.itl_s)

    @property
    def output_tokens(self) -> int:
        return 1 + len(self.itl_s)


def vllm_metrics(requests: Sequence[Served], duration_s: float, goodput: Mapping[str, float]) -> dict[str, Any]:
    """Return what `vllm bench serve` reports; `goodput`: bounds in milliseconds by ttft, tpot, e2el."""
    done = [request for request in requests if request.success]
    tpot_of_all = [_tpot_s(request) for request in done]
    of_each = {
        "ttft": [request.ttft_s for request in done],
        "tpot": tpot_of_all,
        "e2el": [request.latency_s for request in done],
    }
    good = sum(
        all(of_each[name][index] <= bound / 1000 for name, bound in goodput.items()) for index in range(len(done))
    )
    prompts, outputs = sum(r.prompt_tokens for r in done), sum(r.output_tokens for r in done)
    result: dict[str, Any] = {
        "completed": len(done),
        "failed": len(requests) - len(done),
        "total_input_tokens": prompts,
        "total_output_tokens": outputs,
        "request_throughput": len(done) / duration_s,
        "request_goodput": good / duration_s if goodput else None,
        "output_throughput": outputs / duration_s,
        "total_token_throughput": (prompts + outputs) / duration_s,
        "max_output_tokens_per_s": _busiest_second(done),
        "max_concurrent_requests": _most_at_once(done),
    }
    many = [tpot for tpot, request in zip(tpot_of_all, done, strict=True) if request.output_tokens > 1]
    gaps = [gap for request in done for gap in request.itl_s]
    for name, values in (("ttft", of_each["ttft"]), ("tpot", many), ("itl", gaps), ("e2el", of_each["e2el"])):
        milliseconds = np.array(values or [0.0]) * 1000
        result |= {f"mean_{name}_ms": milliseconds.mean(), f"median_{name}_ms": np.median(milliseconds)}
        result |= {f"std_{name}_ms": milliseconds.std()}
        result |= {f"p{rank}_{name}_ms": np.percentile(milliseconds, rank) for rank in PERCENTILES}
    return result


def _tpot_s(request: Served) -> float:
    """Time per output token after the first; 0 for a response of one token, which so meets every bound."""
    if request.output_tokens < 2:
        return 0.0
    return (request.latency_s - request.ttft_s) / (request.output_tokens - 1)


def _busiest_second(done: Sequence[Served]) -> float:
    if not done:
        return 0.0
    begin = min(request.start_s for request in done)
    seconds: dict[int, int] = {}
    for request in done:
        at_s = request.start_s + request.ttft_s
        for gap in (0.0, *request.itl_s):
            at_s += gap
            seconds[int(at_s - begin)] = seconds.get(int(at_s - begin), 0) + 1
    return float(max(seconds.values()))


def _most_at_once(done: Sequence[Served]) -> int:
    """Who leaves at an instant is gone when another comes at the same one."""
    events = sorted([(r.start_s, 1) for r in done] + [(r.start_s + r.latency_s, -1) for r in done])
    now = most = 0
    for _, change in events:
        now += change
        most = max(most, now)
    return most
