"""Survey: one pass over a file of conversations: is it sound, how many turns, where each conversation stands.

Small files are kept as columns. Of larger ones only the places of the conversations are, and they are read again: in
order, or one by one in another order, from a copy without compression if need be. The pass is remembered per process
for as long as the file does not change.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from simcore.contract.traffic import Column
from traces import pieces
from traces.conversations.conversation import Conversation, ConversationFormat, Found
from traces.conversations.gathering import Gathered, gathered, joined
from traces.conversations.lines import Lines
from traces.conversations.reading import Faults, Unreadable, conversations_in, header_of, seekable
from traces.files import sha256

KEPT_NUMBERS = 4_000_000
"""32 MB of columns: half a million turns."""

_PIECE_TURNS = 4096


@dataclass(eq=False)
class Survey:
    """What one pass over a file, or its first turns, found. Conversations are numbered from 0 without those left out.

    skipped: conversations left out because of a broken row; failed: answers that never came.
    """

    path: Path
    format: ConversationFormat
    sha256: str = ""
    requests: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    empty_answers: int = 0
    failed: int = 0
    skipped: int = 0
    tools: dict[str, int] = field(default_factory=dict)
    starts_ps: list[int] = field(default_factory=list)
    """When each began, since 1970, if the file says so."""
    turns: "array[int]" = field(default_factory=lambda: array("q"))
    kept: Gathered | None = None
    _begins: "array[int]" = field(default_factory=lambda: array("q"))
    _ends: "array[int]" = field(default_factory=lambda: array("q"))
    _lines: "array[int]" = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self._begins)

    def gathered(self, order: Column | None) -> Iterator[Gathered]:
        """Yield the conversations, some at a time: in the order of the file, or by their numbers in `order`."""
        if self.kept is not None:
            numbers = np.arange(len(self), dtype=np.int64) if order is None else order
            ends = np.cumsum(self.kept.turns[numbers])
            cuts = np.flatnonzero(np.diff(ends // _PIECE_TURNS)) + 1
            for part in np.split(numbers, cuts):
                yield self.kept.taken(part)
            return
        batch: list[Conversation] = []
        numbers_: list[int] = []
        turns = 0
        for number, conversation in self._again() if order is None else self._one_by_one(order):
            batch.append(conversation)
            numbers_.append(number)
            turns += len(conversation)
            if turns >= _PIECE_TURNS:
                yield self._numbered(batch, numbers_)
                batch, numbers_, turns = [], [], 0
        if batch:
            yield self._numbered(batch, numbers_)

    def _numbered(self, batch: list[Conversation], numbers: list[int]) -> Gathered:
        if numbers[-1] - numbers[0] == len(numbers) - 1 and numbers == sorted(numbers):
            return gathered(batch, numbers[0], self.tools)
        return joined([gathered([each], number, self.tools) for each, number in zip(batch, numbers, strict=True)])

    def _again(self) -> Iterator[tuple[int, Conversation]]:
        number = 0
        for found in conversations_in(self.path, self.format):
            if found.conversation is not None and len(found.conversation):
                yield number, found.conversation
                number += 1
                if number == len(self):
                    return

    def _one_by_one(self, order: Column) -> Iterator[tuple[int, Conversation]]:
        header = header_of(self.path, self.format)
        with seekable(self.path) as file:
            numbers = order.tolist()
            lines = Lines.of_parts(file, ((self._lines[i], self._begins[i], self._ends[i]) for i in numbers))
            for number, found in zip(numbers, self.format.read(self.path, header, lines), strict=True):
                assert found.conversation is not None, "the survey found it sound"
                yield number, found.conversation

    def _add(self, found: Found, conversation: Conversation) -> None:
        self.requests += len(conversation)
        self.prompt_tokens += sum(conversation.prompt_tokens)
        self.output_tokens += sum(conversation.output_tokens)
        self.empty_answers += conversation.empty_answers
        self.turns.append(len(conversation))
        self._begins.append(found.begins)
        self._ends.append(found.ends)
        self._lines.append(found.line)
        if conversation.start_ps is not None:
            self.starts_ps.append(conversation.start_ps)
        for tool in conversation.tools:
            if tool and tool not in self.tools:
                self.tools[tool] = len(self.tools)


def survey(path: Path, format: ConversationFormat, *, turns: int | None = None, skip_bad: bool = False) -> Survey:
    """Read a file, or the conversations of its first turns; TraceError lists what is wrong with it.

    skip_bad: leave conversations out that have a broken row.
    """
    try:
        stat = path.stat()
        version = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    except OSError:
        version = None
    return _survey(path, version, format, turns, skip_bad)


@lru_cache(maxsize=4)
def _survey(
    path: Path, _version: tuple[int, int, int] | None, format: ConversationFormat, turns: int | None, skip_bad: bool
) -> Survey:
    problems = Faults(path)
    result = Survey(path, format)
    keeping: list[Gathered] | None = []
    batch: list[Conversation] = []
    waiting = numbers = 0

    def keep() -> None:
        nonlocal keeping, batch, waiting, numbers
        if keeping is not None and batch:
            keeping.append(gathered(batch, len(result) - len(batch), result.tools))
            numbers += sum(map(len, pieces.arrays_of(keeping[-1].requests)))
            keeping = keeping if numbers <= KEPT_NUMBERS else None
        batch, waiting = [], 0

    try:
        for found in conversations_in(path, format):
            if found.faults:
                if skip_bad:
                    result.skipped += 1
                else:
                    problems.add(found)
                continue
            conversation = found.conversation
            assert conversation is not None, "what has no fault is a conversation"
            result.failed += conversation.failed
            if not len(conversation):
                continue
            result._add(found, conversation)
            if keeping is not None and not problems.any:
                batch.append(conversation)
                waiting += len(conversation)
            if waiting >= _PIECE_TURNS:
                keep()
            if turns is not None and result.requests >= turns:
                break
    except Unreadable as error:
        problems.main.add(error.line, error.column, error.message)
    keep()
    if not result.requests and not problems.any:
        problems.main.add(1, 1, "the file has no conversations" + (" without a broken row" if result.skipped else ""))
    problems.raise_if_any()
    result.kept = _frozen(joined(keeping)) if keeping else None
    result.sha256 = sha256(path)
    return result


def _frozen(kept: Gathered) -> Gathered:
    for column in pieces.arrays_of(kept.requests):
        column.setflags(write=False)
    return kept
