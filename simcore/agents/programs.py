"""Programs: a workload as the clients that send it: each turn when the one before it has ended and its tool ran."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from simcore.contract import Arrivals, Workload, to_s

_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Turn:
    """One request of a program.

    Args:
        request: its row in the workload.
        gap_s: think or tool time before it, seconds.
        stream: whose tokens its prompt goes on with behind its head; a program's own if nobody else has it.
        head: what its prompt begins with: segments (key, end in tokens); equal keys are equal tokens.
    """

    request: int
    prompt_tokens: int
    output_tokens: int
    gap_s: float = 0.0
    stream: int = 0
    head: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """Turns that follow each other; one that arrives alone is a program of one turn, and has no number.

    at_s: when its first turn is sent, seconds.
    """

    number: int
    at_s: float
    turns: list[Turn] = field(default_factory=list)


def read_programs(workload: Workload) -> list[Program]:
    """Return the programs of a workload in the order they begin."""
    programs: list[Program] = []
    row = 0
    for piece in workload.pieces():
        for turn, number, at_ps, place in _rows(piece, row):
            if not place:
                programs.append(Program(number, to_s(at_ps)))
            programs[-1].turns.append(turn)
        row += len(piece)
    return programs


def _rows(piece: Arrivals, first: int) -> Iterator[tuple[Turn, int, int, int]]:
    """Yield (the turn, its program or -1, when the program arrives, its place in it) of each row."""
    count = len(piece)
    at, prompts, outputs = piece.at_ps.tolist(), piece.prompt_tokens.tolist(), piece.output_tokens.tolist()
    programs = [-1] * count if piece.program is None else piece.program.tolist()
    turns = [0] * count if piece.turn is None else piece.turn.tolist()
    gaps = [0] * count if piece.gap_ps is None else piece.gap_ps.tolist()
    streams = programs if piece.stream is None else piece.stream.tolist()
    for i in range(count):
        request = first + i
        stream = 2 * streams[i] if streams[i] >= 0 else 2 * request + 1
        turn = Turn(request, prompts[i], outputs[i], to_s(gaps[i]), stream, _head(piece, i))
        yield turn, programs[i], at[i], turns[i]


def _head(piece: Arrivals, row: int) -> tuple[tuple[int, int], ...]:
    if piece.head is None:
        return ()
    start, end = int(piece.head.offsets[row]), int(piece.head.offsets[row + 1])
    return tuple(zip(piece.head.keys[start:end].tolist(), piece.head.ends[start:end].tolist(), strict=True))


class Prompts:
    """The token ids of prompts: equal where the workload says so, answers of earlier turns included.

    Args:
        vocabulary: ids are below it.
        seed: chooses the tokens.

    >>> prompts = Prompts(vocabulary=100)
    >>> first = prompts.of(Turn(0, 4, 2))
    >>> prompts.answered(Turn(0, 4, 2), [*first, 7, 8])
    >>> prompts.of(Turn(1, 8, 2))[:6] == [*first, 7, 8]
    True
    """

    def __init__(self, vocabulary: int, seed: int = 0) -> None:
        self._vocabulary = vocabulary
        self._seed = seed
        self._streams: dict[int, Sequence[int]] = {}

    def of(self, turn: Turn) -> list[int]:
        """Return the prompt of a turn: its head, what its stream holds so far, and new tokens."""
        text: list[int] = []
        for key, end in turn.head:
            text += self._drawn(2 * key, len(text), min(end, turn.prompt_tokens))
        text += self._streams.get(turn.stream, ())[len(text) : turn.prompt_tokens]
        return text + self._drawn(2 * turn.stream + 1, len(text), turn.prompt_tokens)

    def answered(self, turn: Turn, text: Sequence[int]) -> None:
        """Remember a prompt and its answer as what their stream holds."""
        self._streams[turn.stream] = text

    def forget(self, turn: Turn) -> None:
        """Forget the stream of a program that has ended."""
        self._streams.pop(turn.stream, None)

    def _drawn(self, key: int, start: int, end: int) -> list[int]:
        """Return the tokens that `key` has at positions start..end-1: hashes of both (splitmix64)."""
        mixed = (self._seed * 0x9E3779B97F4A7C15 + key * 0xD1342543DE82EF95) & _MASK
        return [
            _mixed((position * 0x9E3779B97F4A7C15 + mixed) & _MASK) % self._vocabulary for position in range(start, end)
        ]


def _mixed(x: int) -> int:
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)
