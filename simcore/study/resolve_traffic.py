"""Resolve traffic: the workload of a study opened once, to see that it can be read and leaves something to measure."""

from dataclasses import dataclass
from pathlib import Path as FilePath

from simcore.study.errors import Path, Problem, unknown
from simcore.study.files import like_a_file, locate
from simcore.study.lookup import Lookup
from simcore.study.schema import StudySpec
from simcore.study.traffic import WHOLE, known_traces, open_workload

DRAWN = ("arrivals", "prompt_tokens", "output_tokens")


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the rest of the study needs to know of its workload. `lasts_s`: expected time from first to last arrival."""

    classes: tuple[str, ...]
    requests: int
    lasts_s: float


class TrafficFinder:
    """Finds the workload and opens it."""

    def __init__(self, lookup: Lookup, spec: StudySpec) -> None:
        self.lookup = lookup
        self.spec = spec

    def find(self) -> tuple[FilePath | None, Traffic | None]:
        """Return the file to replay, if there is one, and the traffic, if nothing is wrong with it."""
        name = self.spec.workload.trace
        return (None, self._drawn()) if name is None else self._trace(name)

    def _drawn(self) -> Traffic | None:
        workload, wrong = self.spec.workload, self.lookup.wrong
        drawn = {key: getattr(workload, key) for key in DRAWN}
        if any(getattr(workload, key) is not None for key in WHOLE):
            return self._open(None)
        if not any(drawn.values()):
            if "workload.trace" not in self.lookup.reported:
                wrong(("workload",), f"names a trace, or {', '.join(DRAWN)}; got neither")
            return None
        missing = [key for key, value in {**drawn, "requests": workload.requests}.items() if value is None]
        for key in missing:
            wrong(("workload", key), "is missing")
        return None if missing else self._open(None)

    def _trace(self, name: str) -> tuple[FilePath | None, Traffic | None]:
        at: Path = ("workload", "trace")
        known = known_traces()
        if name in known:
            return None, self._open(None)
        file = locate(name, self.lookup.document)
        if file is not None and (file.is_file() or file.is_dir()):
            self.lookup.references[at] = str(file)
            return file, self._rows(file)
        if like_a_file(name):
            why = "is not a file" if file else "no such file"
            self.lookup.wrong(at, f"{why}: '{name}'; point to it with --set workload.trace=PATH")
        else:
            self.lookup.wrong(at, unknown("trace", name, known))
        return None, None

    def _rows(self, file: FilePath) -> Traffic | None:
        """Check the rows of a trace file; what is wrong with them has its place in that file, not in the study."""
        from traces import TraceError

        try:
            return self._open(file)
        except TraceError as error:
            self.lookup.problems += [Problem("", "", problem) for problem in error.problems]
            return None

    def _open(self, file: FilePath | None) -> Traffic | None:
        workload = self.lookup.attempt(("workload",), lambda: open_workload(self.spec, file, 0))
        return None if workload is None else Traffic(workload.classes, workload.requests, workload.lasts_s)


def check_warm_up(lookup: Lookup, spec: StudySpec, traffic: Traffic) -> None:
    """Check that the warm-up leaves some of the traffic to measure."""
    count, lasts_s, warm_up = traffic.requests, traffic.lasts_s, spec.warm_up
    if warm_up.requests >= count:
        rule = f"must be below the {count:,} requests of the run"
        lookup.wrong(("warm_up", "requests"), f"{rule}, got {warm_up.requests:,}")
    if warm_up.seconds and warm_up.seconds >= lasts_s:
        rule = f"must be below {lasts_s:.3g} s, in which all {count:,} requests arrive"
        lookup.wrong(("warm_up", "seconds"), f"{rule}, got {warm_up.seconds:g}")


def check_class_slos(lookup: Lookup, spec: StudySpec, traffic: Traffic) -> None:
    """Check that each class with an SLO of its own is one of the workload's."""
    for name in spec.slo.classes:
        if name not in traffic.classes:
            lookup.wrong(("slo", "classes", name), unknown("class", name, traffic.classes))
