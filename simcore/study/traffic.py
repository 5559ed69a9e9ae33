"""Traffic: the workload a study describes, opened."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.study.schema import StudySpec
from simcore.study.schema_workload import WorkloadSpec

if TYPE_CHECKING:
    from traces import Classified, Programs, Replay, Synthetic

TURNS = ("sessions", "programs")
"""Keys that draw whole programs; what they replace must be left out."""


def open_workload(spec: StudySpec, trace_file: Path | None, seed: int) -> "Classified | Programs | Replay | Synthetic":
    """Return the workload of a study for one seed. Raises ValueError (TraceError for a broken file)."""
    import traces

    wanted = spec.workload
    workload = _unclassified(spec, trace_file, seed)
    if wanted.classes is None and wanted.ttft_timeout_s is None and wanted.timeout_s is None:
        return workload
    classes = traces.request_classes(
        {"default": {"share": 1}} if wanted.classes is None else wanted.classes,
        ttft_timeout_s=wanted.ttft_timeout_s,
        timeout_s=wanted.timeout_s,
    )
    return traces.Classified(workload, classes, seed, replication=0)


def _unclassified(spec: StudySpec, trace_file: Path | None, seed: int) -> "Programs | Replay | Synthetic":
    import traces

    workload = spec.workload
    if workload.sessions is not None or workload.programs is not None:
        _check_alone(workload)
        return traces.programs(
            sessions=workload.sessions,
            programs=workload.programs,
            arrivals=workload.arrivals,
            rate=workload.rate,
            requests=workload.requests,
            seed=seed,
        )
    if workload.trace is not None:
        return traces.open_trace(
            str(trace_file or workload.trace),
            format=workload.format,
            time_unit=workload.time_unit,
            rate=workload.rate,
            requests=workload.requests,
            seed=seed,
        )
    assert workload.requests is not None, "a generated workload has a number of requests"
    return traces.synthetic(
        arrivals=workload.arrivals or {},
        prompt_tokens=workload.prompt_tokens or {},
        output_tokens=workload.output_tokens or {},
        rate=workload.rate,
        requests=workload.requests,
        seed=seed,
        replication=0,
    )


def _check_alone(workload: WorkloadSpec) -> None:
    """Raise ValueError if the study says twice what the requests are."""
    turns = next(key for key in TURNS if getattr(workload, key) is not None)
    both = [key for key in ("trace", "prompt_tokens", "output_tokens") if getattr(workload, key) is not None]
    if both:
        raise ValueError("\n".join(f"{key}: {turns} bring their own; leave one of the two out" for key in both))


def shortest(lengths: Mapping[str, Any]) -> int:
    """Return the fewest tokens a length distribution gives.

    >>> shortest({"kind": "fixed", "tokens": 5}), shortest({"kind": "uniform", "min": 3, "max": 9}), shortest({})
    (5, 3, 1)
    """
    tokens = lengths.get("tokens", lengths.get("min", 1))
    first = tokens[0] if isinstance(tokens, list) and tokens else tokens
    return int(first) if isinstance(first, int | float) else 1


def known_traces() -> Sequence[str]:
    """Return the names of the catalogued workloads."""
    import traces

    return tuple(traces.catalogue_names())
