"""Question: what is to be found, of which systems, on which runs; checked before anything runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simcore.capacity.criteria import Criterion, read_criteria
from simcore.capacity.keys import Find, Key, read_key
from simcore.capacity.search import Field
from simcore.capacity.where import Limits, field_of, rough
from simcore.results.claims_metrics import PROMISED
from simcore.study.document import Document
from simcore.study.errors import Problem, StudyError
from simcore.study.plan import resolve_points, sweep_points
from simcore.study.resolve import Resolved
from simcore.study.traffic import open_workload

SEEDS = 3
"""Replications of a study that does not say how many, where its requests are drawn."""
TOLERANCES = (0.001, 0.5)


@dataclass(frozen=True, slots=True)
class Subject:
    """What has a capacity of its own: a system, at one point of what else the study sweeps."""

    system: str
    point: Mapping[str, Any]
    document: Document
    requests: int

    @property
    def label(self) -> str:
        where = "".join(f", {key.rpartition('.')[2]} {value}" for key, value in self.point.items())
        return f"{self.system}{where}"


@dataclass(frozen=True, slots=True)
class Question:
    """How far a key goes.

    Args:
        first: the study at the first value and point, resolved.
        field: where to search.
        scout: where to look with short runs before that; None: the field is narrow.
        seeds: of the replications. others: of the runs that check the answer.
        replay: every seed meets the same recorded requests.
    """

    first: Resolved
    key: Key
    criteria: tuple[Criterion, ...]
    subjects: tuple[Subject, ...]
    field: Field
    scout: Field | None
    seeds: tuple[int, ...]
    others: tuple[int, ...]
    replay: bool


def ask(
    document: Document,
    vary: str,
    *,
    low: float | None = None,
    high: float | None = None,
    tolerance: float = 0.01,
    find: Find | None = None,
    seeds: int | None = None,
    slo: Sequence[str] = (),
    metric: str | None = None,
    target: float | None = None,
) -> Question:
    """Return the question. Raises StudyError with what is wrong with it, or with the study."""
    if not TOLERANCES[0] <= tolerance <= TOLERANCES[1]:
        raise _wrong("--tolerance", f"must be from {TOLERANCES[0]:g} to {TOLERANCES[1]:g}, got {tolerance:g}")
    if seeds is not None:
        document = document.set("seeds", seeds, f"--seeds {seeds}")
    key = read_key(document, vary, find)
    if key.system is not None:
        document = document.only("systems", [key.system], f"--vary {vary}")
    limits = Limits.read(low, high, whole=key.whole)
    sweep = document.data.get("sweep")
    swept = sweep.get(vary, ()) if isinstance(sweep, dict) else ()
    document = document.unswept(vary)
    field = field_of(document, key, limits, swept, tolerance)
    place = f"--vary {vary} at {field.start:g}"
    resolved = resolve_points(document.set(vary, field.start, place))
    replay = resolved[0][1].trace_file is not None and resolved[0][1].spec.workload.arrivals is None
    if "seeds" not in document.data and not replay:
        document = document.set("seeds", SEEDS, "--seeds")
        resolved = resolve_points(document.set(vary, field.start, place))
    first = resolved[0][1]
    criteria = read_criteria(slo, metric, target, first.spec.slo.attainment)
    _check_promised(document, criteria, first)
    own = first.spec.seeds
    return Question(
        first=first,
        key=key,
        criteria=criteria,
        subjects=_subjects(document, resolved),
        field=field,
        scout=None if swept or limits.both else rough(field),
        seeds=own,
        others=tuple(max(own) + 1 + index for index in range(len(own))),
        replay=replay,
    )


def _subjects(document: Document, resolved: Sequence[tuple[Mapping[str, Any], Resolved]]) -> tuple[Subject, ...]:
    """Return every system at every point of what is swept beside the key, in the order of the study."""
    documents = [at_point for _, at_point in sweep_points(document, [])]
    requests = [
        at_point.spec.workload.requests or open_workload(at_point.spec, at_point.trace_file, 0).requests
        for _, at_point in resolved
    ]
    return tuple(
        Subject(system, point, at_point, count)
        for system in resolved[0][1].spec.systems
        for (point, _), at_point, count in zip(resolved, documents, requests, strict=True)
    )


def _check_promised(document: Document, criteria: Sequence[Criterion], first: Resolved) -> None:
    """Raise StudyError if a metric needs an SLO and the study has none."""
    if first.spec.slo.limits or any(first.spec.slo.class_limits.values()):
        return
    needy = [each.metric for each in criteria if each.metric in PROMISED]
    if needy:
        rule = f"{needy[0]} needs limits, such as slo.ttft_ms; or ask for a metric: --slo 'p99_ttft_ms<=500'"
        raise StudyError([document.problem(("slo",), rule)])


def _wrong(place: str, message: str) -> StudyError:
    return StudyError([Problem(place, "", message)])
