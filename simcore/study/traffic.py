"""Traffic: the workload a study describes, opened."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.study.schema import StudySpec

if TYPE_CHECKING:
    from traces import Classified, Replay, Synthetic


def open_workload(spec: StudySpec, trace_file: Path | None, seed: int) -> "Classified | Replay | Synthetic":
    """Return the workload of a study for one seed. Raises ValueError (TraceError for a broken file)."""
    import traces

    classes = spec.workload.classes
    workload = _unclassified(spec, trace_file, seed)
    if classes is None:
        return workload
    return traces.Classified(workload, traces.request_classes(classes), seed, replication=0)


def _unclassified(spec: StudySpec, trace_file: Path | None, seed: int) -> "Replay | Synthetic":
    import traces

    workload = spec.workload
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
