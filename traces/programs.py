"""Programs: generated requests that are turns: sessions of people, or runs of agents that call tools.

Turn k's prompt is turn k-1's prompt, its output and new tokens; it arrives a think or tool time after turn k-1 ended.
Draws of a program are keyed by its number. Those of a turn are keyed by its number among all turns drawn, with those
that `max_context_tokens` cuts away, so that no length, wait, rate or limit moves a draw of another kind.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Literal

import numpy as np

from simcore.contract.traffic import Arrivals, Patience
from traces import durations, pieces
from traces import lengths as length_kinds
from traces.draws import BLOCK, Tape
from traces.formats.base import MAX_TOKENS
from traces.kinds import in_words, read_kind
from traces.lengths import Lengths
from traces.parameters import Parameters, raise_if_any
from traces.timing import Timing
from traces.unrolling import unrolled
from traces.waits import Waits, read_tools

MAX_TURNS = 10_000
"""More are not drawn: a program is a consecutive part of one piece."""

_AT_ONCE = 256
"""Programs a piece is made of. It changes nothing but the size of the pieces."""

Drawn = Literal["turns", "prompt", "turn_tokens", "output"]
_KEYS: dict[Drawn, str] = {
    "turns": "turns",
    "prompt": "first_prompt_tokens",
    "turn_tokens": "turn_tokens",
    "output": "output_tokens",
}


@dataclass(frozen=True)
class SharedPrompt:
    """What programs begin with: one of `variants` system prompts of `tokens` tokens, equally often."""

    tokens: int = 0
    variants: int = 1


@dataclass(frozen=True)
class Programs:
    """`Workload` of turns. Rate and arrivals are of programs, `requests` counts turns; the last program may be cut."""

    name: str
    source: str
    timing: Timing
    lengths: Mapping[Drawn, Lengths]
    waits: Waits
    system_prompt: SharedPrompt
    max_context_tokens: int
    classes: tuple[str, ...] = ("default",)
    priorities: tuple[int, ...] = (0,)
    patience: tuple[Patience, ...] = ()

    @property
    def tools(self) -> tuple[str, ...]:
        return self.waits.names

    @property
    def rate(self) -> float:
        """Mean arrival rate of programs per second; infinite when all arrive at once."""
        return self.timing.rate

    @property
    def requests(self) -> int:
        """Number of turns, of all programs together."""
        return self.timing.requests

    @property
    def lasts_s(self) -> float:
        """Expected time until the last program arrives, were none cut at its context."""
        turns = self.lengths["turns"].draw(next(self.timing.generators("turns")))
        return self.requests / float(np.minimum(turns, MAX_TURNS).mean()) / self.rate

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the requests, all turns of a program in one piece."""
        left = self.requests
        for whole in self._whole_programs():
            piece = pieces.first(whole, left)
            self.timing.check_span(piece.at_ps)
            yield piece
            left -= len(piece)
            if not left:
                return

    def _whole_programs(self) -> Iterator[Arrivals]:
        """Yield programs without end, `_AT_ONCE` at a time."""
        timing = self.timing
        arrival_ps = Tape(timing.instants())
        tapes = {key: Tape(map(each.draw, timing.generators(key))) for key, each in self.lengths.items()}
        variant = Tape(
            each.integers(self.system_prompt.variants, size=BLOCK) for each in timing.generators("system_prompt")
        )
        waits = Tape(self.waits.drawn(timing.seed, timing.replication))
        for number in count(0, _AT_ONCE):
            turns = np.minimum(tapes["turns"].take(_AT_ONCE), MAX_TURNS)
            drawn = int(turns.sum())
            tool, wait_ps = waits.take(drawn).T
            yield unrolled(
                arrival_ps.take(_AT_ONCE),
                turns,
                tapes["prompt"].take(_AT_ONCE),
                new_tokens=tapes["turn_tokens"].take(drawn),
                output_tokens=tapes["output"].take(drawn),
                wait_ps=wait_ps,
                tool=tool if self.tools else None,
                system_prompt=variant.take(_AT_ONCE),
                system_prompt_tokens=self.system_prompt.tokens,
                max_context_tokens=self.max_context_tokens,
                number=number,
            )


def programs(
    *,
    sessions: Mapping[str, object] | None = None,
    programs: Mapping[str, object] | None = None,
    arrivals: Mapping[str, object] | None,
    rate: float | None,
    requests: int | None,
    seed: int = 0,
    replication: int = 0,
    name: str | None = None,
    source: str | None = None,
) -> Programs:
    """Return generated sessions of people or programs of agents; ParameterError lists everything wrong.

    sessions: `{turns, think_s, first_prompt_tokens, turn_tokens, output_tokens}`, each `{kind: ..., ...}`, and perhaps
        `system_prompt_tokens, system_prompts, max_context_tokens`, see docs/traffic.md.
    programs: in place of sessions: the same, with `tools` and `tool_s` in place of `think_s`.
    arrivals, rate: of programs. requests: how many turns in all; the first n are the same for every number.
    """
    problems: list[str] = []
    where = "programs" if sessions is None else "sessions"
    given = programs if sessions is None else sessions
    timing = Timing.read(arrivals, rate, requests, seed, replication, problems)
    parameters = Parameters(where, given, problems)
    lengths = {
        key: read_kind(f"{where}.{name}", parameters.raw(name), length_kinds.KINDS, problems)
        for key, name in _KEYS.items()
    }
    waits = read_tools(parameters, problems) if sessions is None else _people(parameters, problems)
    tokens = parameters.integer("system_prompt_tokens", least=0, most=MAX_TOKENS, default=0)
    variants = parameters.integer("system_prompts", least=1, most=MAX_TOKENS, default=1)
    context = parameters.integer("max_context_tokens", least=1, most=MAX_TOKENS, default=MAX_TOKENS)
    if context <= tokens:
        parameters.add("max_context_tokens", f"must be above system_prompt_tokens ({tokens:,}), got {context:,}")
    parameters.finish()
    if sessions is not None and programs is not None:
        problems.append("programs: must be left out where sessions are given, got both")
    raise_if_any(problems)
    assert timing is not None
    assert arrivals is not None
    assert given is not None
    assert waits is not None
    return Programs(
        name or where,
        source or f"generated: arrivals {in_words(arrivals)}; {where} {in_words(given)}",
        timing,
        {key: each for key, each in lengths.items() if each is not None},
        waits,
        SharedPrompt(tokens, variants),
        context,
    )


def _people(parameters: Parameters, problems: list[str]) -> Waits | None:
    where = f"{parameters.where}.think_s"
    think_s = read_kind(where, parameters.raw("think_s"), durations.KINDS, problems)
    return Waits.of_people(think_s) if think_s is not None else None
