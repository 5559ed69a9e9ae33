"""Faults: the lines of a study as what goes wrong when, drawn where a line gives a rate.

Draws depend on the study's seed, the line and the instance alone: every system, at every point, meets the same faults.
"""

from collections.abc import Collection, Iterator
from math import isfinite, log1p
from typing import TYPE_CHECKING

from simcore.study.errors import unknown
from simcore.study.lookup import Lookup
from simcore.study.schema import StudySpec
from simcore.study.schema_faults import SUBJECTS, FaultSpec

if TYPE_CHECKING:
    from simcore.simulator.settings import Fault

DRAWS = 0xFA01
"""Keeps these draws apart from those of the traffic, which start from the same seed."""
HORIZON = 2.0
"""Faults are drawn for so many times the time in which the requests are expected to arrive."""


def check_faults(lookup: Lookup, spec: StudySpec, links: Collection[str] | None, lasts_s: float | None) -> None:
    """Check each line: one subject that is there, all the keys it needs, no other.

    links: names of the links; lasts_s: how long the requests are expected to arrive; None: not known.
    """
    for index, fault in enumerate(spec.faults):
        for key, message in _mistakes(fault, spec.cluster.instances, links, lasts_s):
            lookup.wrong(("faults", index, *key), message)


def _mistakes(
    fault: FaultSpec, instances: int, links: Collection[str] | None, lasts_s: float | None
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is wrong with a line, as (the key, if it is one's, and the message)."""
    subjects = [key for key in fault.written if key in SUBJECTS]
    if len(subjects) != 1:
        yield (), f"needs one of {', '.join(SUBJECTS)}; got {' and '.join(subjects) or 'none'}"
        return
    (subject,) = subjects
    needs, may = SUBJECTS[subject]
    for key in needs:
        if key not in fault.written:
            yield (key,), "is missing"
    for key in fault.written:
        if key not in (subject, *needs, *may):
            yield (key,), f"does not go with {subject}, which takes {', '.join((*needs, *may))}"
    target = getattr(fault, subject)
    if subject in ("instance", "straggler") and target >= instances:
        yield (subject,), f"must be one of the {instances} instances, 0 to {instances - 1}, got {target}"
    if subject == "link" and links is not None and target not in links:
        yield (subject,), unknown("link", target, links) if links else f"there are no links, got '{target}'"
    if subject == "every" and fault.until_s is None and lasts_s == 0:
        yield ("until_s",), "is missing: the requests arrive all at once, so the run has no expected length"


def schedule(spec: StudySpec, seed: int, lasts_s: float) -> "tuple[Fault, ...]":
    """Return what goes wrong in the run with one seed, in the order of the study."""
    return tuple(each for line, fault in enumerate(spec.faults) for each in _faults(spec, line, fault, seed, lasts_s))


def _faults(spec: StudySpec, line: int, fault: FaultSpec, seed: int, lasts_s: float) -> "Iterator[Fault]":
    from simcore.simulator.settings import Fault

    if fault.every is not None:
        assert fault.mtbf_s is not None, "checked"
        assert fault.mttr_s is not None, "checked"
        until_s = HORIZON * lasts_s if fault.until_s is None else fault.until_s
        assert isfinite(until_s), "checked"
        for instance in range(spec.cluster.instances):
            for at_s, for_s in _outages(seed, line, instance, fault.mtbf_s, fault.mttr_s, spec.cluster.boot_s, until_s):
                yield Fault("instance", instance, at_s, for_s)
        return
    assert fault.at_s is not None, "checked"
    if fault.instance is not None:
        yield Fault("instance", fault.instance, fault.at_s, fault.for_s)
    if fault.link is not None:
        yield Fault("link", fault.link, fault.at_s, fault.for_s, fault.factor or 0.0)
    if fault.router is not None:
        yield Fault("router", 0, fault.at_s, fault.for_s)
    if fault.straggler is not None:
        yield Fault("straggler", fault.straggler, fault.at_s, fault.for_s, fault.slowdown or 1.0)


def _outages(
    seed: int, line: int, instance: int, mtbf_s: float, mttr_s: float, boot_s: float, until_s: float
) -> Iterator[tuple[float, float]]:
    """Yield (date, duration) of the outages of one instance: exponential, counted from when it is up again."""
    from numpy.random import Generator, Philox, SeedSequence

    draws = Generator(Philox(SeedSequence(seed, spawn_key=(DRAWS, line, instance))))
    at_s = 0.0
    while True:
        up, down = draws.random(2).tolist()
        at_s += -log1p(-up) * mtbf_s
        if at_s >= until_s:
            return
        for_s = -log1p(-down) * mttr_s
        yield at_s, for_s
        at_s += for_s + boot_s
