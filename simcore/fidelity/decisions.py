"""Decisions: two logs of facts and actions side by side: equal, or where they part, or how often they agree."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from simcore.contract import PS_PER_MS
from simcore.contract.decisions import KINDS

Row = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where two logs differ: its index, and what stands there; "" behind the end of a log."""

    index: int
    ours: str
    theirs: str


def first_difference(ours: Sequence[Row], theirs: Sequence[Row], *, dated: bool = True) -> Difference | None:
    """Return where two logs part; None if they are equal. dated: the same decisions must also have the same dates.

    >>> first_difference([(0, -1, 0, 7, 5)], [(0, -1, 0, 7, 5), (2_000_000_000, 1, 3, 7, 5)])
    Difference(index=1, ours='', theirs='2 ms: admitted, instance 1, request 7, 5')
    """
    for index in range(max(len(ours), len(theirs))):
        pair = [log[index] if index < len(log) else None for log in (ours, theirs)]
        if pair[0] is None or pair[1] is None or pair[0][not dated :] != pair[1][not dated :]:
            return Difference(index, *("" if row is None else words(row) for row in pair))
    return None


def words(row: Row) -> str:
    """Return a decision in words."""
    at_ps, instance, kind, request, detail = row
    said = [KINDS[kind]]
    if instance >= 0:
        said.append(f"instance {instance}")
    if request >= 0:
        said.append(f"request {request}")
    if detail >= 0:
        said.append(str(detail))
    return f"{at_ps / PS_PER_MS:g} ms: {', '.join(said)}"


def agreement(ours: Sequence[Row], theirs: Sequence[Row]) -> dict[str, float]:
    """Return, by kind, the share of decisions that both logs have, whenever they were taken.

    >>> agreement([(1, 0, 1, 7, -1), (2, 1, 1, 8, -1)], [(3, 0, 1, 7, -1), (4, 0, 1, 8, -1)])["dispatch"]
    0.5
    """
    logs = [Counter((kind, instance, request) for _, instance, kind, request, _ in log) for log in (ours, theirs)]
    both = logs[0] & logs[1]
    found = {}
    for number, name in enumerate(KINDS):
        counts = [sum(n for (kind, _, _), n in log.items() if kind == number) for log in (*logs, both)]
        if max(counts):
            found[name] = counts[2] / max(counts)
    return found
