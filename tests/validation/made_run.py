"""Made run: the folder a server's benchmark leaves, of a server that is the simulator, so the truth is known."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from simcore.contract import CostModel
from simcore.validation.replay import Replayed, replay
from simcore.validation.server_run import Engine, ServerRun

UNIX_S = 1_777_000_000.0
"""What the clock of arrivals says when the clock of the engine says 0."""

ENGINE = Engine(
    model="someone/tiny",
    version="0.19.0",
    tp=1,
    max_num_seqs=8,
    max_num_batched_tokens=128,
    block_tokens=16,
    kv_blocks=1000,
    memory_utilization=0.9,
    prefix_caching=True,
    asynchronous=True,
    reserve_full_prompt=True,
    graph_sizes=None,
)


def asked(requests: int = 60, gap_s: float = 0.001) -> ServerRun:
    """Return requests of various lengths, at even distances; two of them find the beginnings of others in the cache."""
    i = np.arange(requests)
    hits = np.zeros(requests, dtype=np.int64)
    hits[[20, 41]] = 32, 48
    none = np.zeros(requests, dtype=np.float64)
    prompt, output = 50 + 37 * i % 150, 8 + 29 * i % 60
    return ServerRun(
        "made", ENGINE, prompt, output, hits, (i * gap_s).astype(np.float64), none, none, none, none, None, {}
    )


def write(folder: Path, cost: CostModel, run: ServerRun | None = None, **engine: Any) -> Replayed:
    """Write what the simulator does under `cost` as a server's run; return it."""
    run = asked() if run is None else run
    done = replay(run, cost, run.engine.kv_blocks or 1000, sample_s=0.002)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(len(run)):
        queued = run.arrival_s[i] + 0.0  # the soonest takes no time
        times = {"queued_ts": queued, "scheduled_ts": max(queued, done.scheduled_s[i])}
        times |= {"first_token_ts": done.first_s[i], "last_token_ts": done.last_s[i]}
        row = {"input_toks": int(run.prompt[i]), "output_toks": int(run.output[i]), **times}
        rows.append({"request_id": f"r{i}", "arrival_time": UNIX_S + run.arrival_s[i], **row})
    (folder / "requests.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    asked_of = {"max_num_seqs": 8, "max_num_batched_tokens": 128, "tensor_parallel_size": 1}
    kv = {"num_gpu_blocks": 1000, "block_size": 16, **engine}
    meta = {"model": run.engine.model, "vllm_version": "0.19.0", "engine_kwargs": asked_of, "kv_cache": kv}
    (folder / "meta.json").write_text(json.dumps(meta))
    found = [f"{i},{hits}" for i, hits in enumerate(run.hits) if hits]
    (folder / "prefix_hits.csv").write_text("\n".join(["request_index,hit_tokens", *found]) + "\n")
    series = [f"{t},{r},{w},0" for t, r, w in zip(*(getattr(done.series, x) for x in ("at_s", "running", "waiting")),
                                                  strict=True)]  # fmt: skip
    (folder / "timeseries.csv").write_text("\n".join(["t,running,waiting,other", *series]) + "\n")
    return done
