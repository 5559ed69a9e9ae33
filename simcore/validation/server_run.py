"""Server run: what a real vLLM server was asked, how it was set, and when each request's tokens came.

The format is LLMServingSim's `bench`: `requests.jsonl` and `meta.json`; beside them, if there, `timeseries.csv`,
`prefix_hits.csv` (prompt tokens found in the prefix cache) and `summary.txt` (another simulator's result).
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]
Counts = NDArray[np.int64]

_COUNTS = ("input_toks", "output_toks")
_TIMES = ("arrival_time", "queued_ts", "scheduled_ts", "first_token_ts", "last_token_ts")
_SAME_CLOCK_S = 1e5


@dataclass(frozen=True, slots=True)
class Engine:
    """How the server was set. What its `meta.json` does not say is vLLM's default.

    kv_blocks: as the server logged them; None: not logged. graph_sizes: token counts of its CUDA graphs; None: vLLM's.
    """

    model: str
    version: str
    tp: int
    max_num_seqs: int
    max_num_batched_tokens: int
    block_tokens: int
    kv_blocks: int | None
    memory_utilization: float
    prefix_caching: bool
    asynchronous: bool
    reserve_full_prompt: bool
    graph_sizes: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Series:
    """What the server said of itself, [m] each: seconds since the start, requests running and waiting."""

    at_s: Seconds
    running: Seconds
    waiting: Seconds


@dataclass(frozen=True, slots=True)
class ServerRun:
    """A run; [n] each, in order of arrival, seconds since the first arrival.

    arrival_s: on the clock of the others: the two are set together by the request that was queued soonest after it
        arrived. queued_s: when the engine took it in, at the end of the step under way.
    hits: prompt tokens found in the prefix cache. published: relative error of another simulator, by statistic.
    """

    name: str
    engine: Engine
    prompt: Counts
    output: Counts
    hits: Counts
    arrival_s: Seconds
    queued_s: Seconds
    scheduled_s: Seconds
    first_s: Seconds
    last_s: Seconds
    series: Series | None
    published: Mapping[str, float]

    def __len__(self) -> int:
        return len(self.prompt)


def read_run(folder: Path) -> ServerRun:
    """Return the run in a folder. Raises ValueError with file, line and rule for what is missing or cannot be right."""
    rows = _requests(folder / "requests.jsonl")
    times = {name: np.array([row[name] for row in rows]) for name in _TIMES}
    order = np.argsort(times["arrival_time"], kind="stable")
    arrival, queued, scheduled, first, last = (times[name][order] for name in _TIMES)
    offset = float((queued - arrival).min())
    # Clocks that differ by less than a day are one clock, and the soonest still took its time.
    arrival = arrival if 0 <= offset < _SAME_CLOCK_S else arrival + offset
    start = arrival[0]
    prompt, output = (np.array([row[name] for row in rows], dtype=np.int64)[order] for name in _COUNTS)
    hits = _hits(folder / "prefix_hits.csv", prompt, order)
    return ServerRun(
        name=folder.resolve().parent.name if folder.resolve().name == "run" else folder.resolve().name,
        engine=_engine(folder / "meta.json"),
        prompt=prompt,
        output=output,
        hits=hits,
        arrival_s=arrival - start,
        queued_s=queued - start,
        scheduled_s=scheduled - start,
        first_s=first - start,
        last_s=last - start,
        series=_series(folder / "timeseries.csv"),
        published=_published(folder / "summary.txt"),
    )


def _requests(path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(_lines(path), 1):
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{where}: not JSON: {error}") from None
        missing = [name for name in (*_COUNTS, *_TIMES) if not isinstance(row, dict) or row.get(name) is None]
        if missing:
            raise ValueError(f"{where}: must have {', '.join(missing)}")
        if any(type(row[name]) is not int or row[name] < 1 for name in _COUNTS):
            raise ValueError(f"{where}: {' and '.join(_COUNTS)} must be whole numbers >= 1")
        if not row["queued_ts"] <= row["scheduled_ts"] <= row["first_token_ts"] <= row["last_token_ts"]:
            raise ValueError(
                f"{where}: queued_ts, scheduled_ts, first_token_ts and last_token_ts must be in that order"
            )
        rows.append(row)
    if not rows:
        raise ValueError(f"{path}: must have requests, got none")
    return rows


def _engine(path: Path) -> Engine:
    try:
        meta = json.loads("\n".join(_lines(path)))
        asked = meta["engine_kwargs"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: must be JSON with engine_kwargs: {error}") from None
    if asked.get("data_parallel_size", 1) != 1:
        raise ValueError(f"{path}: data_parallel_size must be 1, got {asked['data_parallel_size']}")
    resolved = meta.get("resolved_config") or {}
    scheduler, cache, graphs = (resolved.get(f"{x}_config") or {} for x in ("scheduler", "cache", "compilation"))
    kv = meta.get("kv_cache") or {}
    eager = asked.get("enforce_eager") or (resolved.get("model_config") or {}).get("enforce_eager")
    sizes = () if eager else graphs.get("cudagraph_capture_sizes")

    def said(name: str, default: Any) -> Any:
        """Return a setting, wherever it is said first."""
        return next((x[name] for x in (kv, scheduler, cache, asked) if x.get(name) is not None), default)

    return Engine(
        model=str(meta.get("model", asked.get("model"))),
        version=str(meta.get("vllm_version", "unknown")),
        tp=int(asked.get("tensor_parallel_size", 1)),
        max_num_seqs=int(said("max_num_seqs", 256)),
        max_num_batched_tokens=int(said("max_num_batched_tokens", 2048)),
        block_tokens=int(said("block_size", 16)),
        kv_blocks=said("num_gpu_blocks", None),
        memory_utilization=float(said("gpu_memory_utilization", 0.9)),
        prefix_caching=bool(said("enable_prefix_caching", True)),
        asynchronous=bool(said("async_scheduling", True)),
        reserve_full_prompt=bool(said("scheduler_reserve_full_isl", True)),
        graph_sizes=None if sizes is None else tuple(int(size) for size in sizes),
    )


def _hits(path: Path, prompt: Counts, order: NDArray[np.intp]) -> Counts:
    """Return the hits of each request; those of a file are by the order of the requests' own file."""
    hits = np.zeros(len(prompt), dtype=np.int64)
    if not path.exists():
        return hits
    place = {int(row): position for position, row in enumerate(order)}
    for number, row in enumerate(csv.DictReader(_lines(path)), 2):
        try:
            position, tokens = place[int(row["request_index"])], int(row["hit_tokens"])
        except (KeyError, TypeError, ValueError):
            rule = f"request_index below {len(prompt)} and hit_tokens must be whole numbers"
            raise ValueError(f"{path}:{number}: {rule}, got {row}") from None
        if not 0 <= tokens < prompt[position]:
            raise ValueError(f"{path}:{number}: hit_tokens must be below the prompt's {prompt[position]}, got {tokens}")
        hits[position] = tokens
    return hits


def _series(path: Path) -> Series | None:
    if not path.exists():
        return None
    rows = list(csv.DictReader(_lines(path)))
    try:
        at_s, running, waiting = (np.array([float(row[name]) for row in rows]) for name in ("t", "running", "waiting"))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: must have numbers in the columns t, running and waiting: {error}") from None
    return Series(at_s, running, waiting)


def _published(path: Path) -> dict[str, float]:
    """Return the last numbers of the rows `TTFT Mean  7097.2  6815.7  -4.0%` of a summary, as shares."""
    found = {}
    for line in _lines(path) if path.exists() else []:
        words = line.split()
        if len(words) == 5 and words[4].endswith("%"):
            metric = "E2EL" if words[0] == "Latency" else words[0]
            found[f"{metric} {words[1].lower()}"] = float(words[4][:-1]) / 100
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from None
