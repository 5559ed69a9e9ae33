"""Metrics of claims: what a claim may be about, and its value in every run."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simcore.results.claims_sample import Sample
from simcore.results.kv_use import ROLES
from simcore.results.rollouts import NAMES as ROLLOUTS
from simcore.results.stats import Run, grouped, point_text

BREAKING_POINT = "breaking_point"
"""Not a metric of a run but of a sweep of the rate: the highest rate within the SLO, requests per second."""

_STATISTICS = ("mean", "median", "std", "p90", "p95", "p99", "p99.9")
_COUNTS = (
    *("arrived", "completed", "failed", "rejected", "cancelled", "lost_requests", "unfinished", "preemptions"),
    *("total_input_tokens", "total_output_tokens", "request_throughput", "request_goodput", "slo_attainment"),
    *("token_goodput", "output_throughput", "total_token_throughput"),
)
_FAIRNESS = ("user_service_jain", "user_service_min_max", "p10_user_slo_attainment")
_OF_RUNS = ("duration", "max_output_tokens_per_s", "max_concurrent_requests")
_COUNTERS = (
    *("prefix_hit_rate", "prefix_hit_tokens", "prefix_query_tokens", "prefix_evictions"),
    *("swap_outs", "swap_ins", "swapped_blocks", "handoffs", "handoff_blocks", "timed_out", "queue_full"),
    *("instances_booted", "instances_drained", "instances_terminated", "instances_failed", "requests_requeued"),
    "mean_instances",
    *("migrations", "migrations_aborted", "migration_stages", "migrated_blocks"),
    *("migration_downtime_s_mean", "migration_downtime_s_p99", "migration_downtime_s_max"),
    *("programs_finished", "programs_abandoned", "programs_completed", "sm_switches"),
    *("mean_handoff_wait_ms", "mean_handoff_waiting_blocks"),
    *(f"{what}_kv_use_{role}" for role in ROLES for what in ("peak", "mean")),
    *("swap_out_blocks", "swap_in_blocks", "swap_launches", "swap_stall_ps", "swap_conflicts"),
    *("reused_host_blocks", "host_prefix_tokens"),
)
_OF_ROLLOUTS = (
    *ROLLOUTS,
    *(f"groups_{what}" for what in ("submitted", "trained", "rejected", "discarded", "failed", "open", "accepted")),
    *("training_steps", "rollout_starved", "scorings_failed"),
    *(f"learned/{what}" for what in ("accuracy_first", "accuracy", "cpu_s", "virtual_s")),
)
_JOB_TIME = "job_completion_time_s"

PROMISED = ("request_goodput", "slo_attainment", "token_goodput", BREAKING_POINT)
"""Metrics that only a study with an SLO has."""


def metric_names(*, of_class: bool = False) -> tuple[str, ...]:
    """Return the metrics of a run, or of one request class, that `summary.json` may hold."""
    names = ("ttft", "tpot", "e2el", "queue") if of_class else ("ttft", "tpot", "itl", "e2el", "queue")
    latencies = tuple(f"{statistic}_{name}_ms" for name in names for statistic in _STATISTICS)
    if of_class:
        return (*_COUNTS, *latencies)
    job_times = tuple(f"{_JOB_TIME}_{statistic}" for statistic in ("mean", "median", "p90", "p95", "p99"))
    return (*_COUNTS, *_OF_RUNS, *_FAIRNESS, *latencies, *_COUNTERS, *job_times, *_OF_ROLLOUTS)


def full_key(name: str, keys: Iterable[str]) -> str | None:
    """Return the sweep key called by its full name or by its last part; None if none or several are.

    >>> full_key("rate", ["workload.rate", "cluster.instances"])
    'workload.rate'
    """
    known = list(keys)
    found = [key for key in known if key == name] or [key for key in known if key.rsplit(".", 1)[-1] == name]
    return found[0] if len(found) == 1 else None


class Measurements:
    """The metrics of all runs of a study, by system and point."""

    def __init__(self, runs: Sequence[Run], breaking: Sequence[Mapping[str, Any]]) -> None:
        self._runs = grouped(runs)
        self._breaking = {(entry["system"], point_text(entry["point"])): entry for entry in breaking}
        self._points = {point_text(run["point"]): dict(run["point"]) for run in runs}
        self._breaking_points = {point_text(entry["point"]): dict(entry["point"]) for entry in breaking}

    def points(self, metric: str) -> list[Mapping[str, Any]]:
        """Return the points at which a metric has a value, in the order of the results."""
        return list((self._breaking_points if metric == BREAKING_POINT else self._points).values())

    def sample(
        self,
        metric: str,
        system: str,
        point: Mapping[str, Any],
        *,
        per: str | None = None,
        request_class: str | None = None,
        even_overloaded: bool = False,
    ) -> Sample:
        """Return a metric by seed.

        Args:
            per: another metric of the same run, by which the first is divided.
            request_class: whose metric; None: of all requests.
            even_overloaded: take the waits of overloaded runs for what they are.
        """
        if metric == BREAKING_POINT:
            return self._break(system, point)
        runs = self._runs.get((system, point_text(point)), [])
        values = {}
        for run in runs:
            metrics = run["metrics"] if request_class is None else run.get("classes", {}).get(request_class, {})
            value, base = metrics.get(metric), 1.0 if per is None else metrics.get(per)
            if value is not None and base:
                values[run["seed"]] = value / base
        if not values:
            what = metric if per is None else f"{metric} per {per}"
            why = f"no run of {system} has {what}" if runs else f"there is no run of {system}"
            return Sample(missing=f"{why}{place(point)}")
        if even_overloaded or not is_wait(metric) or all(run["state"] != "OVERLOADED" for run in runs):
            return Sample(values)
        note = f"{system} is overloaded{place(point)}, where longer runs wait longer"
        return Sample(values, may_be_more=True, may_be_less=per is not None, notes=(note,))

    def _break(self, system: str, point: Mapping[str, Any]) -> Sample:
        entry = self._breaking.get((system, point_text(point)))
        if entry is None:
            return Sample(missing=f"no breaking point of {system} is known: the run has fewer than two rates of it")
        wheres = {each["where"] for each in entry["seeds"]}
        above, below = "above the highest rate" in wheres, "below the lowest rate" in wheres
        low, high = entry["rates"][0], entry["rates"][-1]
        notes = [f"{system} still keeps the SLO at {high:g} req/s, the highest rate"] if above else []
        notes += [f"{system} misses the SLO even at {low:g} req/s, the lowest rate"] if below else []
        return Sample({each["seed"]: each["rate"] for each in entry["seeds"]}, above, below, tuple(notes))


def is_wait(metric: str) -> bool:
    """Return whether a metric holds time spent waiting, which in an overloaded run grows with the run's length.

    >>> is_wait("p99_ttft_ms"), is_wait("mean_tpot_ms")
    (True, False)
    """
    return metric.endswith(("_ttft_ms", "_e2el_ms", "_queue_ms")) or metric.startswith(_JOB_TIME)


def place(point: Mapping[str, Any]) -> str:
    """Return a point as it ends a sentence.

    >>> place({"workload.rate": 8.0, "cluster.instances": 2}), place({})
    (' at rate 8, instances 2', '')
    """
    said = [f"{key.rsplit('.', 1)[-1]} {value:g}" if isinstance(value, float) else
            f"{key.rsplit('.', 1)[-1]} {value}" for key, value in point.items()]  # fmt: skip
    return f" at {', '.join(said)}" if said else ""


def without(point: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a point without one of its keys."""
    return {name: value for name, value in point.items() if name != key}
