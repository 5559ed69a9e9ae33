"""Why: what became of one request of a run, how that compares with the others, and who was served meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.contract import decisions as log
from simcore.results.claims_metrics import full_key
from simcore.results.compare_source import same_value
from simcore.results.phases import Phase, Row, phases
from simcore.results.stats import point_text

if TYPE_CHECKING:
    import pandas as pd

LATENCIES = ("ttft", "tpot", "e2el", "queue")
WAITS = ("waiting", "preempted", "swapped")
"""Phases in which others are served instead."""


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """Whom an instance served while a request waited there.

    admitted: others that joined the batch, with `tokens` to compute; `later` of them arrived after the request.
    running: requests in the batch when the wait began, as of the last sample; None where there are no samples.
    """

    admitted: int
    later: int
    tokens: int
    running: int | None


@dataclass(frozen=True, slots=True)
class Story:
    """One request of one run.

    row: its row of `requests.parquet`. above: by latency, the share of finished requests it is above, 0..1.
    phases: empty without a decision log; `meanwhile`, by index in it, of those in which it waited.
    """

    run: Mapping[str, Any]
    row: Mapping[str, Any]
    above: Mapping[str, float]
    phases: Sequence[Phase] = ()
    meanwhile: Mapping[int, Meanwhile] | None = None


def runs_meant(
    runs: Sequence[Mapping[str, Any]], systems: Sequence[str] | None, at: Mapping[str, str], seed: int | None
) -> list[Mapping[str, Any]]:
    """Return one run of each system asked for: at the point and seed asked for, else at the first there is.

    Raises ValueError, with what there is, for a system, key, value or seed that no run has.
    """
    fitting = list(runs)
    for name, text in at.items():
        key = full_key(name, dict.fromkeys(key for run in runs for key in run["point"]))
        if key is None:
            raise ValueError(f"--at: {name!r} was not varied")
        values = dict.fromkeys(run["point"].get(key) for run in runs)
        fitting = [run for run in fitting if same_value(run["point"].get(key), text)]
        if not fitting:
            raise ValueError(f"--at: {key} must be one of {', '.join(map(str, values))}, got {text}")
    if seed is not None:
        seeds = dict.fromkeys(run["seed"] for run in fitting)
        if seed not in seeds:
            raise ValueError(f"--seed must be one of {', '.join(map(str, seeds))}, got {seed}")
        fitting = [run for run in fitting if run["seed"] == seed]
    first: dict[str, Mapping[str, Any]] = {}
    for run in fitting:
        first.setdefault(run["system"], run)
    for name in systems or ():
        if name not in first:
            raise ValueError(f"--system must be one of {', '.join(first)}, got {name!r}")
    return [run for name, run in first.items() if not systems or name in systems]


def story_of(folder: Path, run: Mapping[str, Any], request: int) -> Story:
    """Return what became of a request in a run of a result folder. Raises ValueError if the run has no such request."""
    requests = _frame(folder, "requests", run)
    rows = requests[requests["request"] == request]
    if rows.empty:
        raise ValueError(f"request must be one of 0..{int(requests['request'].max())}, got {request}")
    row = {str(name): value for name, value in rows.iloc[0].items()}
    finished = requests[requests["state"] == "finished"]
    above = {
        name: float((finished[f"{name}_s"] < row[f"{name}_s"]).mean())
        for name in LATENCIES
        if row[f"{name}_s"] == row[f"{name}_s"]
    }
    if not (folder / "decisions.parquet").is_file():
        return Story(run, row, above)
    entries = _frame(folder, "decisions", run)
    columns = [entries[name].tolist() for name in ("at_ps", "instance", "kind", "request", "detail")]
    entire: list[Row] = list(zip(*columns, strict=True))
    own = [phase for phase in phases(entire) if phase.request == request]
    samples = _frame(folder, "instances", run) if (folder / "instances.parquet").is_file() else None
    arrivals = dict(zip(requests["request"].tolist(), requests["arrival_ps"].tolist(), strict=True))
    waits = {
        index: _meanwhile(entire, phase, arrivals, samples) for index, phase in enumerate(own) if phase.name in WAITS
    }
    return Story(run, row, above, own, waits)


def _meanwhile(
    entries: Sequence[Row], wait: Phase, arrivals: Mapping[int, int], samples: "pd.DataFrame | None"
) -> Meanwhile:
    others = [
        (request, detail)
        for at, instance, kind, request, detail in entries
        if kind == log.ADMITTED and instance == wait.instance and wait.start_ps <= at < wait.end_ps
    ]
    own = arrivals[wait.request]
    running = None
    if samples is not None:
        before = samples[(samples["instance"] == wait.instance) & (samples["at_s"] * 1e12 <= wait.start_ps)]
        running = None if before.empty else int(before["running"].iloc[-1])
    return Meanwhile(
        admitted=len(others),
        later=sum(arrivals.get(request, 0) > own for request, _ in others),
        tokens=sum(detail for _, detail in others),
        running=running,
    )


def _frame(folder: Path, name: str, run: Mapping[str, Any]) -> "pd.DataFrame":
    import pyarrow.parquet as pq

    one = [("system", "==", run["system"]), ("point", "==", point_text(run["point"])), ("seed", "==", run["seed"])]
    table = pq.read_table(folder / f"{name}.parquet", filters=one)
    frame: pd.DataFrame = table.to_pandas()
    return frame
