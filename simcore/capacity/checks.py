"""Checks: the answer tried on other seeds, at the value and just beside it, and again with twice the requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import expm1, log, log1p
from typing import Literal

from simcore.capacity.answer import Answer
from simcore.capacity.bench import Bench, Judged, Trial
from simcore.capacity.search import Field
from simcore.results.stats import Interval, interval

Tells = Literal["no", "perhaps", "surely"]
"""No: the value moves by less than the tolerance. Perhaps: it moves, or is met no longer, but seeds differ as much."""

TWICE = Fraction(2)
WIDEST = 1.5
"""An answer is tried at most this ratio away from its value, however wide its interval."""


@dataclass(frozen=True, slots=True)
class Tried:
    """Runs of the check at one value: their mean margin tells whether what is asked is met."""

    value: float
    requests: int
    runs: tuple[Judged, ...]

    @property
    def margin(self) -> Interval:
        return interval([run.margin for run in self.runs])

    @property
    def met(self) -> bool:
        return self.margin.mean > 0

    @property
    def held_by(self) -> int:
        """Runs that meet it each by itself."""
        return sum(run.met for run in self.runs)

    @property
    def surely_missed(self) -> bool:
        """Whether chance between seeds does not explain the miss; one seed is never sure."""
        high = self.margin.high
        return high is not None and high < 0


@dataclass(frozen=True, slots=True)
class Length:
    """What twice the requests change, with the same seeds.

    Args:
        longer: those runs; None: there are no more requests to be had, `why` says it.
        change: of the margin, seed by seed.
        shift: by which share the value would change, by the slope of the margin between the value and beyond; None:
            unknown, in whole numbers too.
        tells: whether the answer depends on the length of its runs.
    """

    longer: Tried | None = None
    change: Interval | None = None
    shift: Interval | None = None
    tells: Tells = "no"
    why: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """The check of one answer.

    Args:
        before, beyond: at the easy and at the hard end of the interval; None where a limit of the search leaves no
            room, and before a whole number, which is itself to be met.
        length: None: not asked for.
        failure: why there is no check.
    """

    before: Tried | None = None
    at: Tried | None = None
    beyond: Tried | None = None
    length: Length | None = None
    failure: str = ""

    @property
    def confirmed(self) -> bool:
        """Whether other seeds meet it before, miss it beyond, and do not certainly miss the value itself."""
        if self.at is None:
            return False
        met = (self.before or self.at).met and not self.at.surely_missed
        return met and (self.beyond is None or not self.beyond.met)


def check(bench: Bench, answers: Sequence[Answer], *, length: bool) -> dict[int, Checked]:
    """Return the check of each answer that has a value, by subject."""
    planned = {each.subject: _trials(each, bench, length=length) for each in answers if each.value is not None}
    judged = {each.trial: each for each in bench.run([trial for trials in planned.values() for trial in trials])}
    return {
        each.subject: _checked(each, [judged[trial] for trial in planned[each.subject]], bench.question.field)
        for each in answers
        if each.subject in planned
    }


def ends(answer: Answer, field: Field) -> tuple[float, float]:
    """Return the values just before and just beyond an answer: of whole numbers itself and the next.

    Otherwise the easy and the hard end of its interval, two tolerances away at least and `WIDEST` at most.
    """
    assert answer.value is not None, "an answer without a value has no ends"
    assert answer.spread is not None, "a value is the mean of roots"
    if field.whole:
        return answer.value, field.within(answer.value + field.harder)
    low = answer.value / _away(answer.value, answer.spread.low, field)
    high = answer.value * _away(answer.value, answer.spread.high, field)
    before, beyond = (low, high) if field.harder > 0 else (high, low)
    return field.within(before), field.within(beyond)


def _away(value: float, end: float | None, field: Field) -> float:
    """Return how far from a value, as a ratio above 1, to try it; `end`: of its interval."""
    nearest = 1 + 2 * field.tolerance
    if end is None:
        return nearest
    return min(max(end / value, value / end, nearest), WIDEST) if end > 0 else WIDEST


def _trials(answer: Answer, bench: Bench, *, length: bool) -> list[Trial]:
    before, after = ends(answer, bench.question.field)
    assert answer.value is not None, "only values are checked"
    values = dict.fromkeys([answer.value, before, after])
    seeds = bench.question.others
    once = [Trial(answer.subject, value, seed, "check") for value in values for seed in seeds]
    longer = [Trial(answer.subject, answer.value, seed, "length", TWICE) for seed in seeds if length]
    return once + longer


def _checked(answer: Answer, judged: Sequence[Judged], field: Field) -> Checked:
    failed = next((each.failure for each in judged if each.failure and each.trial.purpose == "check"), None)
    if failed is not None:
        return Checked(failure=f"{failed.label}: {failed.reason}")
    tried = {
        value: _tried([each for each in judged if each.trial.purpose == "check" and each.trial.value == value])
        for value in dict.fromkeys(each.trial.value for each in judged)
    }
    before, after = (tried[value] if value != answer.value else None for value in ends(answer, field))
    assert answer.value is not None, "only values are checked"
    at = tried[answer.value]
    longer = [each for each in judged if each.trial.purpose == "length"]
    return Checked(before, at, after, _length(at, after, longer, field) if longer else None)


def _tried(runs: Sequence[Judged]) -> Tried:
    return Tried(runs[0].trial.value, runs[0].requests, tuple(runs))


def _length(here: Tried, there: Tried | None, runs: Sequence[Judged], field: Field) -> Length:
    wrong = next((run for run in runs if run.impossible or run.failure), None)
    if wrong is not None:
        return Length(why=wrong.impossible or (wrong.failure.reason if wrong.failure else ""))
    longer = _tried(runs)
    change = interval([after.margin - before.margin for before, after in zip(here.runs, longer.runs, strict=True)])
    shift = None if field.whole else _shift(here, there, change, field)
    return Length(longer, change, shift, _tells(here, longer, change, shift, field.tolerance))


def _shift(here: Tried, there: Tried | None, change: Interval, field: Field) -> Interval | None:
    """Return by which share the root moves when the margin changes all along its way as it does here."""
    if there is None:
        return None
    slope = (there.margin.mean - here.margin.mean) / abs(log(there.value / here.value))
    if slope >= 0:
        return None
    ends = [None if end is None else expm1(-field.harder * end / slope) for end in (change.low, change.high)]
    low, high = ends if field.harder > 0 else reversed(ends)
    return Interval(change.n, expm1(-field.harder * change.mean / slope), low, high)


def _tells(here: Tried, longer: Tried, change: Interval, shift: Interval | None, tolerance: float) -> Tells:
    flips = here.met != longer.met
    if not flips and (shift is None or abs(log1p(shift.mean)) <= log1p(tolerance)):
        return "no"
    if change.low is None or change.high is None or change.low <= 0 <= change.high:
        return "perhaps"
    return "surely"
