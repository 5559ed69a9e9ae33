"""Answer: how far a system carries, from the roots of its seeds: a mean with its interval, or the reason why not."""

from dataclasses import dataclass
from math import ceil, exp, floor, log
from typing import Any, Literal

from simcore.capacity.explore import Explored, Search
from simcore.capacity.search import Field, root
from simcore.results.stats import Interval, interval, verdict

Where = Literal["crossed", "unbounded", "infeasible"]
Outcome = Literal["found", "unbounded", "infeasible", "differs by seed", "not monotone", "failed"]


@dataclass(frozen=True, slots=True)
class Root:
    """What one seed says: the hardest value met, the easiest missed, and where the line between them crosses.

    Args:
        value: the root; None unless `where` is "crossed".
        beyond: why nothing harder could be run, where the study itself sets the limit.
    """

    seed: int
    where: Where
    value: float | None
    met: float | None
    missed: float | None
    beyond: str = ""


@dataclass(frozen=True, slots=True)
class Oddity:
    """A value that is met beyond an easier one that is missed, with the same seed."""

    seed: int
    met: float
    missed: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found of one subject.

    Args:
        value: the mean of the roots; of whole numbers the next that is no harder. None if a seed has no root.
        spread: of the roots over the seeds.
        reason: what stands behind an outcome without a value.
    """

    subject: int
    outcome: Outcome
    roots: tuple[Root, ...]
    value: float | None = None
    spread: Interval | None = None
    oddities: tuple[Oddity, ...] = ()
    reason: str = ""


def answer(explored: Explored, field: Field) -> Answer:
    """Return what the searches of a subject amount to."""
    failure = next((search.failure for search in explored.searches if search.failure), None)
    if failure is not None:
        return Answer(explored.subject, "failed", (), reason=f"{failure.label}: {failure.reason}")
    roots = tuple(_root(search) for search in explored.searches)
    odd = tuple(oddity for oddity in (_oddity(explored, index) for index in range(len(roots))) if oddity)
    wheres = {each.where for each in roots}
    if wheres == {"crossed"}:
        spread = interval([each.value for each in roots if each.value is not None])
        outcome: Outcome = "not monotone" if odd else "found"
        return Answer(explored.subject, outcome, roots, _value(spread.mean, field), spread, odd)
    if len(wheres) > 1:
        return Answer(explored.subject, "not monotone" if odd else "differs by seed", roots, oddities=odd)
    reason = next((each.beyond for each in roots if each.beyond), "")
    at_limit: Outcome = "unbounded" if wheres == {"unbounded"} else "infeasible"
    return Answer(explored.subject, "not monotone" if odd else at_limit, roots, oddities=odd, reason=reason)


def against(ours: Answer, theirs: Answer, harder: int) -> dict[str, Any] | None:
    """Return how one capacity compares with another, seed by seed; None unless all seeds of both have a root.

    `ratio` is the geometric mean over the seeds, its interval is taken of the logarithms. To carry what is `harder`
    is better.
    """
    pairs = [(our.value, their.value) for our, their in zip(ours.roots, theirs.roots, strict=False)]
    known = [(our, their) for our, their in pairs if our is not None and their is not None]
    if not known or len(known) < len(pairs):
        return None
    difference = interval([our - their for our, their in known])
    logs = interval([log(our / their) for our, their in known])
    return {
        "n": difference.n,
        "difference": difference.mean,
        "ci_low": difference.low,
        "ci_high": difference.high,
        "ratio": exp(logs.mean),
        "ratio_ci_low": None if logs.low is None else exp(logs.low),
        "ratio_ci_high": None if logs.high is None else exp(logs.high),
        "verdict": verdict(difference, harder),
    }


def _root(search: Search) -> Root:
    found = search.edge
    beyond = "" if found.missed is None else search.impossible.get(found.missed, "")
    if found.met is None:
        return Root(search.seed, "infeasible", None, None, found.missed, beyond)
    if found.missed is None or beyond:
        return Root(search.seed, "unbounded", None, found.met, found.missed, beyond)
    return Root(search.seed, "crossed", root(search.known, found, search.field), found.met, found.missed)


def _oddity(explored: Explored, index: int) -> Oddity | None:
    """Return the widest gap in what one seed met."""
    search = explored.searches[index]
    known = {**search.known, **(explored.around if index == 0 else {})}
    tried = {value: margin for value, margin in known.items() if value not in search.impossible}
    met = [value for value, margin in tried.items() if margin > 0]
    missed = [value for value, margin in tried.items() if margin < 0]
    if not met or not missed:
        return None
    hardest, easiest = (max(met), min(missed)) if search.field.harder > 0 else (min(met), max(missed))
    gone_past = hardest > easiest if search.field.harder > 0 else hardest < easiest
    return Oddity(search.seed, hardest, easiest) if gone_past else None


def _value(mean: float, field: Field) -> float:
    if not field.whole:
        return field.within(mean)
    # A hair's breadth beside a whole number is that number.
    return floor(mean + 1e-9) if field.harder > 0 else ceil(mean - 1e-9)
