"""Grouping: rows that stand below each other and name one conversation, as that conversation."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from traces.conversations.conversation import MAX_TURNS, Conversation, Fault, Found
from traces.formats.base import shown


class Row(NamedTuple):
    """A line that was taken apart: `cells` of a table, or the values of an object; or what is wrong with it."""

    line: int
    begins: int
    ends: int
    text: str
    cells: Any
    name: str | None
    """The conversation it is of; None where a broken row does not say."""
    fault: Fault | None = None
    part: int = 0
    """Of the file, as `Lines` has it: rows of two parts are of two conversations."""


def conversations(
    rows: Iterator[Row], what: str, build: Callable[[list[Row], list[Fault]], Conversation], *, once: bool = True
) -> Iterator[Found]:
    """Yield what `build` makes of the rows of each conversation; it notes in its second argument what is wrong.

    what: the column that names the conversation. A broken row without a name is of the conversation above it.
    once: a name that comes again is an error (the names are remembered); else it is another conversation.
    """
    seen: set[str] | None = set() if once else None
    group: list[Row] = []
    for row in rows:
        if group and (row.name not in (None, group[0].name) or row.part != group[0].part):
            yield _found(group, what, build, seen)
            group = []
        group.append(row)
    if group:
        yield _found(group, what, build, seen)


def _found(
    group: list[Row], what: str, build: Callable[[list[Row], list[Fault]], Conversation], seen: set[str] | None
) -> Found:
    first, last = group[0], group[-1]
    faults = [row.fault for row in group if row.fault is not None]
    if seen is not None and first.name in seen:
        message = f"{what} {shown(first.name)} again: the rows of a conversation must stand below each other"
        faults.append(Fault(first.line, 1, message))
    elif seen is not None and first.name is not None:
        seen.add(first.name)
    if len(group) > MAX_TURNS:
        faults.append(Fault(first.line, 1, f"{what} {shown(str(first.name))}: more than {MAX_TURNS:,} turns"))
    conversation = build([row for row in group if row.fault is None], faults) if not faults else None
    return Found(first.begins, last.ends, first.line, None if faults else conversation, faults)
