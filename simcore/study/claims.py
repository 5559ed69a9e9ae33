"""Claims: whether each claim of a study can be checked at all: its names are known, its numbers make sense.

What a claim names and an override took away (a swept key that was set, another sweep) is no mistake: it stays open.
"""

from collections.abc import Iterator, Sequence

from simcore.results.claims_metrics import BREAKING_POINT, PROMISED, full_key, metric_names
from simcore.results.claims_relation import AMOUNTS, ORDERS, Relation
from simcore.study.errors import Path, nearest, shown, unknown
from simcore.study.lookup import Lookup
from simcore.study.schema import StudySpec
from simcore.study.schema_claims import ClaimSpec

RATE = "workload.rate"

Mistake = tuple[Path, str]
"""The key below the claim, and what is wrong with it."""


def check_claims(lookup: Lookup, spec: StudySpec, classes: Sequence[str] | None) -> None:
    """Note what is wrong with the claims. `classes`: of the requests; None: not known."""
    checker = _Checker(lookup, spec, classes)
    for index, claim in enumerate(spec.claims):
        for path, message in checker.mistakes(claim):
            lookup.wrong(("claims", index, *path), message)


class _Checker:
    def __init__(self, lookup: Lookup, spec: StudySpec, classes: Sequence[str] | None) -> None:
        self.spec = spec
        self.classes = classes
        document = lookup.document
        written = [path[1] for path in document.keys if len(path) == 2 and path[0] == "sweep"]
        self.taken = [str(key) for key in written if key not in spec.sweep]
        self.new_sweep = ("sweep",) in document.values
        self.new_systems = ("systems",) in document.values

    def mistakes(self, claim: ClaimSpec) -> Iterator[Mistake]:
        relation = Relation.parse(claim.relation)
        yield from self._systems(claim, relation)
        yield from self._metric(claim)
        yield from self._at(claim, relation)
        yield from self._along(claim, relation)
        yield from _bounds(claim, relation)

    def _systems(self, claim: ClaimSpec, relation: Relation) -> Iterator[Mistake]:
        for index, name in enumerate(claim.systems):
            if name not in self.spec.systems and not self.new_systems:
                yield ("systems", index), unknown("system", name, self.spec.systems)
            if name in claim.systems[:index]:
                yield ("systems", index), f"names '{name}' twice"
        given, kind = len(claim.systems), relation.kind
        if kind in ORDERS and given < 2:
            yield ("systems",), f"'{kind}' orders two systems or more, got one; the number of one is a `value`"
        elif kind == "value" and given != 1:
            yield ("systems",), f"a value is that of one system, got {given}"
        elif kind in AMOUNTS and kind != "value" and given != 2:
            yield ("systems",), f"a {kind} is that of two systems, got {given}"
        elif relation.along and given > 2:
            yield ("systems",), f"'{kind}' is said of one system, or of the ratio of two, got {given}"

    def _metric(self, claim: ClaimSpec) -> Iterator[Mistake]:
        of_class = claim.request_class is not None
        known = metric_names(of_class=of_class)
        whole = () if of_class or claim.per is not None else (BREAKING_POINT,)
        if claim.metric not in (*known, *whole):
            yield ("metric",), _unknown_metric(claim.metric, (*known, *whole), of_class)
        if claim.per is not None and claim.per not in known:
            yield ("per",), _unknown_metric(claim.per, known, of_class)
        if self.classes is not None and of_class and claim.request_class not in self.classes:
            yield ("request_class",), unknown("class", str(claim.request_class), self.classes)
        if claim.metric in PROMISED and not (self.spec.slo.limits or self.spec.slo.class_limits):
            yield ("metric",), f"{claim.metric} needs an `slo`"
        if claim.metric == BREAKING_POINT and not self._swept(RATE, 2):
            yield ("metric",), f"{BREAKING_POINT} needs a sweep of {RATE} over two rates or more"

    def _at(self, claim: ClaimSpec, relation: Relation) -> Iterator[Mistake]:
        if isinstance(claim.at, str):
            if claim.at != "all" and (relation.along or len(claim.systems) > 2):
                yield ("at",), f"'{claim.at}' needs one quantity at each point; '{relation}' of these has more"
            return
        for name, value in claim.at.items():
            key = full_key(name, self.spec.sweep)
            if key is None:
                if not self._taken(name):
                    yield ("at", name), self._not_swept(name)
            elif key == RATE and claim.metric == BREAKING_POINT:
                yield ("at", name), f"a {BREAKING_POINT} belongs to no single rate"
            elif relation.along and full_key(relation.along, self.spec.sweep) == key:
                yield ("at", name), f"'{relation}' looks at all values of {key}"
            elif value not in self.spec.sweep[key] and not self.new_sweep:
                swept = ", ".join(map(str, self.spec.sweep[key]))
                yield ("at", name), f"must be one of the values swept, {swept}, got {shown(value)}"

    def _along(self, claim: ClaimSpec, relation: Relation) -> Iterator[Mistake]:
        if relation.along is None:
            return
        key = full_key(relation.along, self.spec.sweep)
        needed = 3 if relation.kind == "peaks over" else 2
        if key is None:
            if not self._taken(relation.along):
                yield ("relation",), self._not_swept(relation.along)
        elif not self._swept(key, needed):
            yield (
                ("relation",),
                f"'{relation}' needs {needed} values or more, and {key} has {len(self.spec.sweep[key])}",
            )
        elif key == RATE and claim.metric == BREAKING_POINT:
            yield ("relation",), f"a {BREAKING_POINT} belongs to no single rate"

    def _swept(self, key: str, values: int) -> bool:
        """Return whether a key is swept over so many values, or was before an override."""
        return len(self.spec.sweep.get(key, ())) >= values or self.new_sweep or key in self.taken

    def _taken(self, name: str) -> bool:
        return self.new_sweep or full_key(name, self.taken) is not None

    def _not_swept(self, name: str) -> str:
        keys = list(self.spec.sweep)
        lasts = [key.rsplit(".", 1)[-1] for key in keys]
        have = f"swept are {', '.join(keys)}" if keys else "the study sweeps nothing"
        return f"'{name}' is not swept; {have}{nearest(name, [*keys, *lasts])}"


def _unknown_metric(name: str, known: Sequence[str], of_class: bool) -> str:
    what = "metric of a request class" if of_class else "metric"
    return f"unknown {what} '{name}'; docs/metrics.md has them{nearest(name, known)}"


def _bounds(claim: ClaimSpec, relation: Relation) -> Iterator[Mistake]:
    """Check min, max, within and the paper's numbers against what the relation takes."""
    kind = relation.kind
    given = [key for key in ("min", "max", "within") if getattr(claim, key) is not None]
    takes = ("min", "max", "within") if kind in AMOUNTS else ("within",) if kind == "flat in" else ()
    for key in given:
        if key not in takes:
            yield (key,), f"does not go with '{kind}'"
    if takes and not set(given) & set(takes):
        yield (), f"'{kind}' needs {' or '.join(takes)}"
    if kind in AMOUNTS and "within" in given:
        if len(given) > 1:
            yield ("within",), "goes without min and max"
        if claim.paper is None or isinstance(claim.paper, str):
            yield ("within",), "is a share of the paper's number: `paper` must be a number, or two"
    if claim.min is not None and claim.max is not None and claim.min > claim.max:
        yield ("min",), f"must be <= max ({claim.max:g}), got {claim.min:g}"
    if isinstance(claim.paper, tuple):
        if kind in ORDERS and len(claim.paper) != len(claim.systems):
            yield ("paper",), f"must be a number for each of the {len(claim.systems)} systems, got {len(claim.paper)}"
        elif kind in AMOUNTS and len(claim.paper) != 2:
            yield ("paper",), f"must be one number, or the two ends of a range, got {len(claim.paper)}"
