"""Files of a comparison: what each tool leaves on disk, told apart by its keys and brought to vLLM's."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from simcore.results.breaking import RATE
from simcore.results.compare_rows import Rows, rows_of_folder, rows_of_vllm
from simcore.results.compare_source import MeasuredRun, ResultError, Source
from simcore.results.compare_tools import is_aiperf, is_guidellm, of_aiperf, of_guidellm
from simcore.results.frames import read_summary

SETUP = ("model_id", "num_prompts", "request_rate", "burstiness", "max_concurrency")
VARIED = ("request_rate", "max_concurrency")
"""What lines of one appended file usually differ in."""


def read_folder(folder: Path) -> Source:
    """Return the runs in a result folder of `simcore run`. Raises ResultError if it is none."""
    if not (folder / "summary.json").is_file():
        raise ResultError(f"{folder}: no summary.json in it; give a result folder, or a file of a benchmark")
    summary = read_summary(folder)
    runs = [
        MeasuredRun(
            run["system"],
            run["point"],
            run["seed"],
            _numbers(run["metrics"]),
            {"request_rate": run["point"].get(RATE), "num_prompts": run["metrics"]["arrived"]},
            partial(rows_of_folder, folder, run) if (folder / "requests.parquet").is_file() else None,
        )
        for run in summary["runs"]
    ]
    return Source(str(folder), "simcore", runs, summary["study"])


def read_file(path: Path) -> Source:
    """Return the runs in a file of `vllm bench serve` (ours too), AIPerf or guidellm. Raises ResultError for others."""
    results = _json(path)
    if all(_is_vllm(result) for result in results):
        return Source(str(path), "vllm bench serve", _vllm_runs(results))
    if len(results) == 1 and is_aiperf(results[0]):
        return Source(str(path), "AIPerf", [of_aiperf(results[0])])
    if len(results) == 1 and is_guidellm(results[0]):
        return Source(str(path), "guidellm", of_guidellm(results[0]))
    known = "a result of vllm bench serve, AIPerf (profile_export_aiperf.json) or guidellm"
    raise ResultError(f"{path}: not {known}")


def _json(path: Path) -> list[Mapping[str, Any]]:
    """Return the objects in a file: one, or one a line, as `--append-result` writes them."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResultError(f"{path}: cannot be read: {error}") from None
    try:
        found = [json.loads(text)]
    except ValueError:
        found = []
        for number, line in enumerate(text.splitlines(), 1):
            try:
                found += [json.loads(line)] if line.strip() else []
            except ValueError as error:
                raise ResultError(f"{path}:{number}: not JSON: {error}") from None
    if not found or not all(isinstance(result, dict) for result in found):
        raise ResultError(f"{path}: holds no JSON object; the file vLLM names .pytorch.json is a copy: take the other")
    return found


def _is_vllm(result: Mapping[str, Any]) -> bool:
    return {"completed", "duration", "request_throughput"} <= set(result)


def _vllm_runs(results: Sequence[Mapping[str, Any]]) -> list[MeasuredRun]:
    """Return each result as a run; those that differ in nothing named `VARIED` are seeds of one."""
    varied = [key for key in VARIED if len({json.dumps(result.get(key)) for result in results}) > 1]
    runs: list[MeasuredRun] = []
    for result in results:
        system = str(result.get("system") or result.get("label") or "")
        point = {key: result.get(key) for key in varied}
        seed = _seed(result, sum(run.system == system and run.point == point for run in runs))
        rows = rows_of_vllm(result)
        measured = {key: value for key, value in result.items() if key not in (*SETUP, "rtfx")}
        metrics = {**(rows.statistics() if rows else {}), **_numbers(measured)}
        setup = {key: result.get(key) for key in SETUP}
        reader = None if rows is None else partial(_same, rows)
        runs.append(MeasuredRun(system, point, seed, metrics, setup, reader))
    return runs


def _seed(result: Mapping[str, Any], position: int) -> int:
    given = str(result.get("seed", ""))
    return int(given) if given.isdigit() else position


def _same(rows: Rows) -> Rows:
    return rows


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    kept = {key: value for key, value in metrics.items() if isinstance(value, int | float)}
    return {key: float(value) for key, value in kept.items() if not isinstance(value, bool)}
