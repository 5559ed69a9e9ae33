"""Traffic: the workload a study describes, opened."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.study.schema import StudySpec
from simcore.study.schema_workload import WorkloadSpec

if TYPE_CHECKING:
    from traces import Opened

WHOLE = ("sessions", "programs", "groups", "clients")
"""Keys that draw whole requests; what they replace must be left out."""
_REPLACED = {"clients": ("arrivals", "prompt_tokens", "output_tokens")}
OF_TRACES = ("format", "time_unit", "columns", "bad_rows", "block_tokens", "order", "from_s", "for_s")
"""Keys that say how a trace is read."""


def open_workload(spec: StudySpec, trace_file: Path | None, seed: int) -> "Opened":
    """Return the workload of a study for one seed. Raises ValueError (TraceError for a broken file)."""
    import traces

    wanted = spec.workload
    workload = _unclassified(wanted, trace_file, seed)
    if wanted.classes is None and wanted.ttft_timeout_s is None and wanted.timeout_s is None:
        return workload
    if workload.classes != ("default",):
        names = ", ".join(workload.classes)
        keys = [key for key in ("classes", "ttft_timeout_s", "timeout_s") if getattr(wanted, key) is not None]
        raise ValueError("\n".join(f"{key}: the trace has classes of its own ({names}); leave it out" for key in keys))
    classes = traces.request_classes(
        {"default": {"share": 1}} if wanted.classes is None else wanted.classes,
        ttft_timeout_s=wanted.ttft_timeout_s,
        timeout_s=wanted.timeout_s,
    )
    return traces.Classified(workload, classes, seed, replication=0)


def _unclassified(workload: WorkloadSpec, trace_file: Path | None, seed: int) -> "Opened":
    import traces

    _check_alone(workload)
    if workload.sessions is not None or workload.programs is not None:
        return traces.programs(
            sessions=workload.sessions,
            programs=workload.programs,
            arrivals=workload.arrivals,
            rate=workload.rate,
            requests=workload.requests,
            seed=seed,
        )
    if workload.clients is not None:
        return traces.clients(workload.clients, rate=workload.rate, requests=workload.requests, seed=seed)
    if workload.trace is not None:
        return traces.open_trace(
            str(trace_file or workload.trace),
            **{key: getattr(workload, key) for key in (*OF_TRACES, "arrivals", "prompt_tokens", "output_tokens")},
            rate=workload.rate,
            requests=workload.requests,
            seed=seed,
        )
    if workload.requests is None:
        raise ValueError("requests: is missing")
    if workload.groups is not None:
        return traces.groups(
            workload.groups, arrivals=workload.arrivals or {}, rate=workload.rate, requests=workload.requests, seed=seed
        )
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
    """Raise ValueError if the study says twice what the requests are, or how to read a trace it does not name."""
    written = {
        key for key in WorkloadSpec.model_fields if getattr(workload, key) != WorkloadSpec.model_fields[key].default
    }
    wrong = []
    if workload.trace is None:
        wrong += [f"{key}: is for a trace; name one, or leave it out" for key in OF_TRACES if key in written]
    whole = next((key for key in WHOLE if key in written), None)
    if whole is not None:
        replaced = ("trace", *WHOLE, *_REPLACED.get(whole, ("prompt_tokens", "output_tokens")))
        both = [key for key in replaced if key in written and key != whole]
        wrong += [f"{key}: {whole} bring their own; leave one of the two out" for key in both]
    if workload.priorities is not None and any("priority" in one for one in (workload.classes or {}).values()):
        wrong.append("priorities: classes have priorities of their own; leave one of the two out")
    if wrong:
        raise ValueError("\n".join(wrong))


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
