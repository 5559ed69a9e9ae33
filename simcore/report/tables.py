"""Tables: the systems of a study side by side, point by point, as rows of text; numbers are those of the summary."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simcore.report.notes import worst_state
from simcore.report.numbers import NOTHING, difference_text, with_interval
from simcore.results.stats import Run, direction, grouped, over_seeds, paired
from simcore.results.wording import SHARES, plain


@dataclass(frozen=True, slots=True)
class Column:
    """One metric: its heading, its unit below that, what it is multiplied by, and what it means."""

    heading: str
    unit: str
    metric: str
    factor: float = 1.0
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A mean with its half width; below it the difference to the first system, "better", "worse" or "undecided"."""

    text: str
    change: str = ""
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A line: the values of the sweep keys, what stands beside the system, its cells and state."""

    point: tuple[str, ...]
    first_of_point: bool
    system: str
    beside: tuple[str, ...]
    cells: tuple[Cell, ...]
    state: str


@dataclass(frozen=True, slots=True)
class Table:
    keys: tuple[str, ...]
    beside: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    with_state: bool


SERVICE = (
    Column("SLO met", "%", "slo_attainment", 100.0, "share of all requests that met every limit of the SLO"),
    Column("Goodput", "req/s", "request_goodput", 1.0, "requests that met the SLO, per second"),
    Column("TTFT mean", "ms", "mean_ttft_ms", 1.0, "time to first token"),
    Column("TTFT p99", "ms", "p99_ttft_ms", 1.0, "time to first token, 99th percentile"),
    Column("TPOT mean", "ms", "mean_tpot_ms", 1.0, "time per output token after the first"),
    Column("TPOT p99", "ms", "p99_tpot_ms", 1.0, "time per output token after the first, 99th percentile"),
    Column("E2EL mean", "ms", "mean_e2el_ms", 1.0, "end-to-end latency: last token less arrival"),
    Column("Output", "tok/s", "output_throughput", 1.0, "tokens generated per second"),
)
MECHANISMS = (
    Column("Prefix hits", "%", "prefix_hit_rate", 100.0, "share of looked-up prompt tokens that a prefix cache held"),
    Column("Preempted", "times", "preemptions", 1.0, "times a request lost its place in a batch"),
    Column("Swapped out", "times", "swap_outs", 1.0, "requests copied to host memory"),
    Column("Handed off", "times", "handoffs", 1.0, "requests handed to another instance with their KV"),
    Column(
        "Requeued", "times", "requests_requeued", 1.0, "requests that arrived again because their instance went down"
    ),
    Column("Migrated", "times", "migrations", 1.0, "requests that moved from one instance to another"),
    Column("Downtime", "ms", "migration_downtime_s_mean", 1000.0, "from token to token of a request that moved, mean"),
    Column("Instances", "mean", "mean_instances", 1.0, "instances there were on average, if that varied"),
    Column("Boots", "times", "instances_booted", 1.0, "instances that came up after a boot"),
    Column("Programs", "done", "programs_completed", 1.0, "programs whose turns all completed"),
    Column("Job mean", "s", "job_completion_time_s_mean", 1.0, "mean job completion time of programs"),
    Column("Job p99", "s", "job_completion_time_s_p99", 1.0, "job completion time of programs, 99th percentile"),
)
LATENCIES = tuple(
    Column(f"{name.upper()} {label}", "ms", f"{statistic}_{name}_ms")
    for name in ("ttft", "tpot", "e2el")
    for statistic, label in (("median", "p50"), ("p90", "p90"), ("p99", "p99"))
)

Part = tuple[tuple[str, ...], Sequence[Run]]


def systems_table(runs: Sequence[Run]) -> Table:
    """Return service and state of each system at each point."""
    return _table(runs, SERVICE, with_state=True)


def mechanisms_table(runs: Sequence[Run]) -> Table | None:
    """Return what mechanisms did and how programs and rollouts fared; None where there is nothing to say."""
    rollouts = list(dict.fromkeys(key for run in runs for key in run["metrics"] if key.startswith("perf/")))
    columns = (*MECHANISMS, *(Column(key.removeprefix("perf/").replace("_", " "), "", key) for key in rollouts))
    happened = tuple(column for column in columns if any(run["metrics"].get(column.metric) for run in runs))
    return _table(runs, happened) if happened else None


def classes_table(runs: Sequence[Run]) -> Table | None:
    """Return the service of each request class; None where there is only one."""
    return (
        _table(runs, SERVICE, beside=("class",), parts=_by_class) if any(run.get("classes") for run in runs) else None
    )


def latency_table(runs: Sequence[Run], point: Mapping[str, Any]) -> Table | None:
    """Return percentiles at one point, which is left unsaid; None without any."""
    here = [{**run, "point": {}} for run in runs if run["point"] == point]
    table = _table(here, LATENCIES)
    return table if table.columns else None


def _whole(runs: Sequence[Run]) -> list[Part]:
    return [((), runs)]


def _by_class(runs: Sequence[Run]) -> list[Part]:
    names = list(dict.fromkeys(name for run in runs for name in run.get("classes", {})))
    return [((name,), [{**run, "metrics": run.get("classes", {}).get(name, {})} for run in runs]) for name in names]


def _table(
    runs: Sequence[Run],
    columns: tuple[Column, ...],
    *,
    beside: tuple[str, ...] = (),
    parts: Callable[[Sequence[Run]], list[Part]] = _whole,
    with_state: bool = False,
) -> Table:
    """Return a table with a row for each part of each system, points in the order of the runs of the first system."""
    counted = [run for _, part in parts(runs) for run in part]
    shown = tuple(column for column in columns if any(run["metrics"].get(column.metric) is not None for run in counted))
    keys = tuple(dict.fromkeys(key for run in runs for key in run["point"]))
    groups = grouped(runs)
    first = runs[0]["system"]
    rows: list[Row] = []
    for at in dict.fromkeys(point for _, point in groups):
        base = dict(parts(groups[first, at])) if (first, at) in groups else {}
        new = True
        for (system, point), ours in groups.items():
            if point != at:
                continue
            where = tuple(plain(ours[0]["point"].get(key, "")) for key in keys)
            for names, part in parts(ours):
                theirs = base.get(names) if system != first else None
                cells = tuple(_cell(part, theirs, column) for column in shown)
                rows.append(Row(where, new, system, names, cells, worst_state(ours) if with_state else ""))
                new = False
    short = tuple(key.rsplit(".", 1)[-1] for key in keys)
    return Table(short, beside, shown, tuple(rows), with_state)


def _cell(runs: Sequence[Run], baseline: Sequence[Run] | None, column: Column) -> Cell:
    found = over_seeds(runs, column.metric)
    if found is None:
        return Cell(NOTHING)
    counts = all(isinstance(run["metrics"].get(column.metric), int | None) for run in runs)
    text = with_interval(found, column.factor, counts=counts)
    difference = paired(runs, baseline, column.metric) if baseline and direction(column.metric) else None
    if difference is None or (difference["relative"] is None and column.metric not in SHARES):
        return Cell(text)
    return Cell(text, difference_text(difference, column.metric), difference["verdict"])
