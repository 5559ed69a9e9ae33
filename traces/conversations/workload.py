"""Recorded conversations as a workload: each a program of turns, or a group of answers, with a time to arrive."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from simcore.contract.traffic import Arrivals, Column, Heads, Patience
from simcore.contract.units import to_s
from traces import pieces
from traces.arrivals import NEVER_PS
from traces.conversations.gathering import Gathered
from traces.conversations.survey import Survey
from traces.draws import Tape, blocks
from traces.lengths import Lengths
from traces.timing import Timing


@dataclass(frozen=True, eq=False)
class Conversations:
    """`Workload` of recorded conversations. Rate and arrivals are of these; `requests` counts turns.

    timing: arrivals drawn; None: the conversations start as far apart as they were, stretched by `stretch`.
    order: [c] their numbers in the file, as they arrive; None: as they stand there.
    prompt_tokens: of each group, where the file does not say it.
    """

    survey: Survey
    requests: int
    rate: float
    timing: Timing | None
    stretch: float = 1.0
    order: Column | None = None
    prompt_tokens: Lengths | None = None
    prompt_words: str = ""
    seed: int = 0
    replication: int = 0
    classes: tuple[str, ...] = ("default",)
    priorities: tuple[int, ...] = (0,)
    patience: tuple[Patience, ...] = ()

    @property
    def name(self) -> str:
        return self.survey.path.name

    @property
    def source(self) -> str:
        """The file, its hash, and what was not taken as it stands there."""
        survey = self.survey
        notes = [f"{self.name} ({survey.format.name} conversations, sha256 {survey.sha256})"]
        if survey.skipped:
            notes.append(f"{survey.skipped:,} conversations with bad rows left out")
        if survey.failed:
            notes.append(f"{survey.failed:,} failed answers left out")
        if survey.empty_answers:
            notes.append(f"{survey.empty_answers:,} answers of 0 tokens read as 1 token")
        if self.prompt_words:
            notes.append(f"prompt_tokens assumed: {self.prompt_words}")
        return "; ".join(notes)

    @property
    def tools(self) -> tuple[str, ...]:
        """In the order in which turns first end in them."""
        return tuple(self.survey.tools)

    @property
    def skipped(self) -> int:
        """Conversations left out because a row of theirs is broken."""
        return self.survey.skipped

    @property
    def lasts_s(self) -> float:
        """Time until the last conversation arrives; expected, where arrivals are drawn."""
        if self.timing is None:
            return to_s(int(self._starts_ps()[self._programs - 1]))
        return (self._programs - 1) / self.rate

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the requests, all turns of a conversation in one piece; the last one may be cut."""
        arrivals = Tape(self.timing.instants()) if self.timing is not None else Tape(iter([self._starts_ps()]))
        prompts = None
        if self.prompt_tokens is not None:
            prompts = Tape(map(self.prompt_tokens.draw, blocks(self.seed, self.replication, "prompt")))
        number, left = 0, self.requests
        for part in self.survey.gathered(self.order):
            n = len(part.turns)
            piece = _arriving(part, arrivals.take(n), number, prompts.take(n) if prompts is not None else None)
            piece = pieces.first(piece, left)
            if self.timing is not None:
                self.timing.check_span(piece.at_ps)
            yield piece
            number += n
            left -= len(piece)
            if not left:
                return

    @property
    def _programs(self) -> int:
        """How many conversations the first `requests` turns are of."""
        turns = np.frombuffer(self.survey.turns, np.int64)
        ordered = turns if self.order is None else turns[self.order]
        return int(np.searchsorted(np.cumsum(ordered), self.requests)) + 1

    def _starts_ps(self) -> Column:
        assert self.order is not None, "conversations that start when they did are sorted by it"
        return starts_ps(self.survey, self.order, self.stretch)


def starts_ps(survey: Survey, order: Column, stretch: float) -> Column:
    """Return [c] recorded starts in this order, counted from the first; ValueError beyond the clock."""
    first = survey.starts_ps[int(order[0])]
    since = np.array([survey.starts_ps[number] - first for number in order.tolist()], object)
    if since[-1] * stretch >= NEVER_PS:
        raise ValueError(
            f"rate: the conversations must start within 106 days, got {to_s(int(since[-1] * stretch)):g} s"
        )
    found: Column = np.rint(since.astype(np.float64) * stretch).astype(np.int64)
    return since.astype(np.int64) if stretch == 1.0 else found


def _arriving(part: Gathered, at_ps: Column, number: int, prompt_tokens: Column | None) -> Arrivals:
    """Return conversations with arrival times, [c], as programs from `number` on; as groups, if prompts are given."""
    numbers = np.repeat(np.arange(number, number + len(part.turns), dtype=np.int64), part.turns)
    requests = replace(part.requests, at_ps=np.repeat(at_ps, part.turns))
    if prompt_tokens is None:
        return replace(requests, program=numbers)
    prompts = np.repeat(prompt_tokens, part.turns)
    whole = Heads(np.arange(len(numbers) + 1, dtype=np.int64), numbers, prompts)
    return replace(requests, prompt_tokens=prompts, head=whole, group=numbers)
