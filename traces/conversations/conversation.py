"""Conversation: what a recorded session, agent run or group of answers says, turn by turn, whatever file it is in."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from traces.conversations.lines import Lines

MAX_TURNS = 10_000
"""More are refused: all turns of a program stand in one piece."""

SHARED = 1 << 62
"""Keys of segments from here on are the same tokens in every conversation; those below, in one conversation only."""

Segment = tuple[int, int]
"""Key, and where it ends in the prompt: see `simcore.contract.traffic.Heads`."""


@dataclass(slots=True)
class Conversation:
    """Turns in order; every list has an entry per turn, or is empty where the format knows nothing of it.

    prompt_tokens: empty: the answers of one group, to a prompt of unknown length.
    gap_ps: from the end of the turn before, as recorded, to this one's beginning; 0 for the first.
    tools: what each turn ends in, "": nothing.
    streams: numbers within the conversation of what the prompts go on in, -1: a stream of its own.
    heads: the segments each prompt begins with.
    start_ps: when the first turn arrived, picoseconds since 1970; None: nobody knows.
    empty_answers: how many answers of 0 tokens were read as 1 token.
    failed: answers that never came, and are left out.
    """

    output_tokens: list[int]
    prompt_tokens: list[int] = field(default_factory=list)
    gap_ps: list[int] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)
    streams: list[int] = field(default_factory=list)
    heads: list[list[Segment]] = field(default_factory=list)
    start_ps: int | None = None
    empty_answers: int = 0
    failed: int = 0

    def __len__(self) -> int:
        return len(self.output_tokens)


class Fault(NamedTuple):
    """What is wrong at a place; `path`: of a file beside the trace."""

    line: int
    column: int
    message: str
    path: Path | None = None


class Found(NamedTuple):
    """Part of a file, bytes `begins` to `ends`, from line `line` on: a conversation, or what is wrong with it."""

    begins: int
    ends: int
    line: int
    conversation: Conversation | None
    faults: list[Fault]


class ConversationFormat(Protocol):
    """One public format of conversations. A new one is a file beside this, listed in `traces.conversations`."""

    name: str
    layout: str
    """What the file looks like, for people."""
    knows_prompts: bool
    knows_starts: bool
    has_header: bool

    def __hash__(self) -> int: ...

    def recognises(self, first_line: str) -> bool:
        """Whether a file that starts with this line (or its first 64 KiB) is most likely of this format."""

    def check_header(self, line: str) -> None:
        """Raise `traces.formats.BadRow` if the first line of a file with a header lacks something."""

    def read(self, path: Path, header: str | None, lines: Lines) -> Iterator[Found]:
        """Yield the conversations of these lines of the file, in order. `header`: its first line, if it has one."""
