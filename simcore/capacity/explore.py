"""Explore: the searches of all systems and seeds, side by side, each going on where an earlier one has pointed.

A scout with short runs finds the neighbourhood, unless limits or a sweep name it. The first seed of each system finds
the place there, its other seeds begin at that place. Last, the first seed looks well to both sides of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from simcore.capacity.bench import WHOLE, Bench, Judged, Purpose, Trial
from simcore.capacity.search import Edge, Field, edge, next_value, root
from simcore.capacity.where import STRIDE, nearby
from simcore.study.run import Failure

SCOUT_PART = Fraction(1, 8)
SCOUT_REQUESTS = 100
"""Fewest requests of a scout's runs; a study that is shorter than eight times this needs none."""
BESIDE = 1.03
"""First step of the seeds that begin where the first one ended; more where the tolerance is wide."""
AROUND = 1.5
"""How far to both sides the first seed looks at the end."""


class Search:
    """The search of one system with one seed: what it knows, and why some values could not be run."""

    def __init__(self, subject: int, seed: int, field: Field) -> None:
        self.subject = subject
        self.seed = seed
        self.field = field
        self.known: dict[float, float] = {}
        self.impossible: dict[float, str] = {}
        self.failure: Failure | None = None

    @property
    def edge(self) -> Edge:
        return edge(self.known, self.field)

    @property
    def crossed(self) -> bool:
        return self.edge.met is not None and self.edge.missed is not None

    @property
    def place(self) -> float:
        """Where the next search should begin: at the root, or at the limit that was reached."""
        found = self.edge
        if self.crossed:
            return root(self.known, found, self.field)
        ends = [end for end in (found.met, found.missed) if end is not None]
        return ends[0] if ends else self.field.start

    def note(self, judged: Judged) -> None:
        """Learn what became of a trial; one whose cell failed ends the search."""
        value = judged.trial.value
        self.known[value] = judged.margin
        if judged.impossible:
            self.impossible[value] = judged.impossible
        self.failure = self.failure or judged.failure


@dataclass(frozen=True, slots=True)
class Explored:
    """What was found of one subject: the searches by seed, and what the first seed saw around its root."""

    subject: int
    searches: Sequence[Search]
    around: Mapping[float, float]


def explore(bench: Bench) -> list[Explored]:
    """Search the edge of every subject with every seed."""
    question = bench.question
    pilot, *others = question.seeds
    starts = _scouted(bench)
    first = [Search(index, pilot, starts[index]) for index in range(len(question.subjects))]
    _advance(bench, first)
    beside = max(BESIDE, 1 + 2 * question.field.tolerance)
    later = [
        Search(search.subject, seed, nearby(question.field, search.place, beside))
        for search in first
        if search.failure is None
        for seed in others
    ]
    _advance(bench, later)
    around = _around(bench, first)
    return [
        Explored(
            each.subject, [each, *(other for other in later if other.subject == each.subject)], around[each.subject]
        )
        for each in first
    ]


def _scouted(bench: Bench) -> list[Field]:
    """Return the field of each subject, around the place its scout has found."""
    question = bench.question
    if question.scout is None:
        return [question.field] * len(question.subjects)
    enough = [int(subject.requests * SCOUT_PART) >= SCOUT_REQUESTS for subject in question.subjects]
    scouts = {index: Search(index, question.seeds[0], question.scout) for index, worth in enumerate(enough) if worth}
    _advance(bench, list(scouts.values()), "scout", SCOUT_PART)
    return [
        nearby(question.field, scouts[index].place, STRIDE) if index in scouts else question.field
        for index in range(len(question.subjects))
    ]


def _advance(bench: Bench, searches: Sequence[Search], purpose: Purpose = "search", part: Fraction = WHOLE) -> None:
    """Ask each search for its next value, run all of them together, and again, until none asks."""
    while True:
        asked = [
            (search, value)
            for search in searches
            if search.failure is None and (value := next_value(search.known, search.field)) is not None
        ]
        if not asked:
            return
        trials = [Trial(search.subject, value, search.seed, purpose, part) for search, value in asked]
        for (search, _), judged in zip(asked, bench.run(trials), strict=True):
            search.note(judged)


def _around(bench: Bench, searches: Sequence[Search]) -> dict[int, dict[float, float]]:
    """Return the margins the first seed sees well to both sides of its place, by subject."""
    trials = []
    for search in searches:
        place = search.field.within(search.place if search.crossed else search.field.start)
        sides = (
            {search.field.beside(place, ratio) for ratio in (1 / AROUND, AROUND)} if search.failure is None else set()
        )
        values = sorted(sides - search.known.keys() - {place})
        trials += [Trial(search.subject, value, search.seed, "around") for value in values]
    seen: dict[int, dict[float, float]] = {search.subject: {} for search in searches}
    for judged in bench.run(trials):
        if judged.failure is None and not judged.impossible:
            seen[judged.trial.subject][judged.trial.value] = judged.margin
    return seen
