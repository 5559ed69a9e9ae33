"""Result: a replay as `vllm bench serve --save-result --save-detailed` writes it, and how long the jobs took.

Keys and formulas: vllm/benchmarks/serve.py at commit 009e6d4a: TPOT is (latency - TTFT) / (tokens - 1) of requests with
more than one token, ITL pools all gaps, std is of the population, throughput is per second of the whole replay.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from simcore.agents.replay import Job, Timed

PERCENTILES = (50.0, 90.0, 95.0, 99.0)


def bench_result(jobs: Sequence[Job], model: str, label: str) -> dict[str, Any]:
    """Return the result of a replay as JSON. Statistics without data are 0.0, as vLLM writes them.

    Beyond vLLM's keys: `programs_completed`, `programs_failed`, `job_completion_time_s_*` (of programs of which no turn
    failed), and per job `jobs`: [{program, turns, start_s, took_s, done}].
    """
    turns = [turn for job in jobs for turn in job.turns]
    good = [turn for turn in turns if not turn.error]
    duration_s = max((turn.end_s for turn in turns), default=0.0) - min((turn.start_s for turn in turns), default=0.0)
    prompt, generated = (
        sum(turn.turn.prompt_tokens for turn in good),
        sum(turn.output_tokens for turn in good),
    )
    return {
        "date": f"{datetime.now(UTC):%Y%m%d-%H%M%S}",
        "endpoint_type": "openai",
        "backend": "openai",
        "label": label,
        "model_id": model,
        "tokenizer_id": model,
        "num_prompts": sum(len(job.program.turns) for job in jobs),
        "request_rate": "inf",
        "burstiness": 1.0,
        "max_concurrency": None,
        "duration": duration_s,
        "completed": len(good),
        "failed": len(turns) - len(good),
        "total_input_tokens": prompt,
        "total_output_tokens": generated,
        "request_throughput": _rate(len(good), duration_s),
        "request_goodput": None,
        "output_throughput": _rate(generated, duration_s),
        "total_token_throughput": _rate(prompt + generated, duration_s),
        **_latencies(good),
        **_jobs(jobs),
        **_details(turns),
    }


def _latencies(good: Sequence[Timed]) -> dict[str, float]:
    first = [turn.first_s - turn.start_s for turn in good if turn.first_s is not None]
    whole = [turn.end_s - turn.start_s for turn in good]
    each = [
        (turn.end_s - turn.first_s) / (turn.output_tokens - 1)
        for turn in good
        if turn.first_s is not None and turn.output_tokens > 1
    ]
    gaps = [gap for turn in good for gap in turn.gaps_s]
    found: dict[str, float] = {}
    for name, seconds in {"ttft": first, "tpot": each, "itl": gaps, "e2el": whole}.items():
        ms = np.array(seconds or [0.0]) * 1000
        found |= {f"mean_{name}_ms": float(ms.mean()), f"median_{name}_ms": float(np.median(ms))}
        found |= {f"std_{name}_ms": float(ms.std()), f"p99_{name}_ms": float(np.percentile(ms, 99))}
    return found


def _jobs(jobs: Sequence[Job]) -> dict[str, Any]:
    of_turns = [job for job in jobs if job.program.number >= 0]
    if not of_turns:
        return {}
    name = "job_completion_time_s"
    done = [job.took_s for job in of_turns if job.done]
    times: Mapping[str, float | None] = dict.fromkeys(
        (f"{name}_mean", f"{name}_median", *(f"{name}_p{each:g}" for each in PERCENTILES[1:]))
    )
    if done:
        values = [float(np.mean(done)), *np.percentile(done, PERCENTILES).tolist()]
        times = dict(zip(times, values, strict=True))
    rows = [
        {
            "program": job.program.number,
            "turns": len(job.turns),
            "start_s": job.turns[0].start_s,
            "took_s": job.took_s,
            "done": job.done,
        }
        for job in of_turns
    ]
    return {"programs_completed": len(done), "programs_failed": len(of_turns) - len(done), **times, "jobs": rows}


def _details(turns: Sequence[Timed]) -> dict[str, list[Any]]:
    return {
        "input_lens": [turn.turn.prompt_tokens for turn in turns],
        "output_lens": [turn.output_tokens for turn in turns],
        "ttfts": [0.0 if turn.first_s is None else turn.first_s - turn.start_s for turn in turns],
        "itls": [turn.gaps_s for turn in turns],
        "start_times": [turn.start_s for turn in turns],
        "errors": [turn.error for turn in turns],
    }


def _rate(count: int, seconds: float) -> float:
    return count / seconds if seconds > 0 else 0.0
