"""Groups: generated rollouts of reinforcement learning: several samples of each prompt, all begun together.

The logarithm of a sample's length is normal: one part is the prompt's, the same for all its samples, the other its own.
Prompts differ much more than the samples of one prompt do: over 366 groups of 4 or 5 answers of reasoning models the
own part has standard deviation 0.36, and the prompt's 0.7 (problems of one kind) to 1.4 (mixed prompts)
(github.com/cpldcpu/LRMTokenEconomy, commit d5cc353cf1250b805f955504b807530248154e62).

Draws of a prompt are keyed by the number of its group; the own part of sample k of a group by k and that number. So
more samples of a prompt leave the first ones as they are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from simcore.contract.traffic import Arrivals, Column, Heads, Patience
from traces import lengths as length_kinds
from traces.draws import BLOCK, Tape
from traces.formats.base import MAX_TOKENS
from traces.kinds import in_words, read_kind
from traces.lengths import Lengths
from traces.parameters import Parameters, raise_if_any
from traces.timing import Timing

MAX_SIZE = 1024
"""Samples of a prompt: each has its own block of draws."""


@dataclass(frozen=True)
class SampleLengths:
    """Lognormal tokens: exp(`mu` + a prompt's effect + a sample's own), standard deviations `prompt_effect`, `within`.

    Samples that would be longer than `max` stop there, as at the length cap of a rollout: they are a spike at the cap.
    """

    mu: float
    prompt_effect: float
    within: float
    min: int
    max: int

    @classmethod
    def read(cls, where: str, given: object, problems: list[str]) -> "SampleLengths | None":
        """Read `mu` or `median`, `prompt_effect`, `within`, perhaps `min` and `max`; None if `given` is no mapping."""
        parameters = Parameters(where, given, problems, shape="a mapping with median, prompt_effect and within")
        if not isinstance(given, Mapping):
            return None
        by_median, by_mu = parameters.has("median"), parameters.has("mu")
        if by_median == by_mu:
            parameters.add("median", f"give either median or mu, got {'both' if by_mu else 'neither'}")
        mu = parameters.number("mu") if by_mu else 0.0
        if by_median:
            mu = log(parameters.positive("median", most=MAX_TOKENS))
        prompt_effect = parameters.number("prompt_effect", least=0, most=10)
        within = parameters.number("within", least=0, most=10)
        least = parameters.integer("min", least=1, most=MAX_TOKENS, default=1)
        most = parameters.integer("max", least=1, most=MAX_TOKENS, default=MAX_TOKENS)
        if most < least:
            parameters.add("max", f"must be >= min ({least}), got {most}")
        parameters.finish()
        return cls(mu, prompt_effect, within, least, most)

    def tokens(self, of_prompt: NDArray[np.float64], own: NDArray[np.float64]) -> Column:
        """Return [groups, size] int64 lengths from standard normal numbers [groups] and [groups, size]."""
        logs = self.mu + self.prompt_effect * of_prompt[:, np.newaxis] + self.within * own
        drawn = np.exp(np.minimum(logs, log(MAX_TOKENS) + 1))
        tokens: Column = np.rint(drawn.clip(self.min, self.max)).astype(np.int64)
        return tokens


@dataclass(frozen=True)
class Groups:
    """`Workload` of samples in groups of `size`. Rate and arrivals are of groups, `requests` counts samples."""

    name: str
    source: str
    timing: Timing
    size: int
    prompt_tokens: Lengths
    output_tokens: SampleLengths
    classes: tuple[str, ...] = ("default",)
    priorities: tuple[int, ...] = (0,)
    tools: tuple[str, ...] = ()
    patience: tuple[Patience, ...] = ()

    @property
    def rate(self) -> float:
        """Mean arrival rate of groups per second; infinite when all arrive at once."""
        return self.timing.rate

    @property
    def requests(self) -> int:
        """Number of samples, of all groups together."""
        return self.timing.requests

    @property
    def lasts_s(self) -> float:
        """Expected time until the last group arrives."""
        return self.requests / self.size / self.rate

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the samples, group after group, all of a group in one piece."""
        timing = self.timing
        arrival_ps = Tape(timing.instants())
        prompt_tokens = Tape(map(self.prompt_tokens.draw, timing.generators("prompt")))
        of_prompt = Tape(each.standard_normal(BLOCK) for each in timing.generators("group"))
        own = [
            Tape(each.standard_normal(BLOCK) for each in timing.generators("output", sample))
            for sample in range(self.size)
        ]
        groups, at_once = self.requests // self.size, max(BLOCK // self.size, 1)
        for first in range(0, groups, at_once):
            n = min(at_once, groups - first)
            group = np.repeat(np.arange(first, first + n), self.size)
            at_ps = np.repeat(arrival_ps.take(n), self.size)
            timing.check_span(at_ps)
            prompt = np.repeat(prompt_tokens.take(n), self.size)
            drawn = self.output_tokens.tokens(of_prompt.take(n), np.stack([each.take(n) for each in own], axis=1))
            whole_prompt = Heads(np.arange(len(group) + 1), group, prompt)
            yield Arrivals(at_ps, prompt, drawn.reshape(-1), head=whole_prompt, group=group)


def groups(
    given: Mapping[str, object],
    *,
    arrivals: Mapping[str, object],
    rate: float | None,
    requests: int,
    seed: int = 0,
    replication: int = 0,
    name: str = "groups",
    source: str | None = None,
) -> Groups:
    """Return generated rollouts; ParameterError (a ValueError) lists everything wrong with the parameters.

    given: `{size, prompt_tokens: {kind: ..., ...}, output_tokens: {median or mu, prompt_effect, within, min, max}}`.
    arrivals, rate: of groups. requests: how many samples, whole groups; the first n are the same for every number.
    """
    problems: list[str] = []
    timing = Timing.read(arrivals, rate, requests, seed, replication, problems)
    parameters = Parameters("groups", given, problems)
    size = parameters.integer("size", least=1, most=MAX_SIZE)
    prompt = read_kind("groups.prompt_tokens", parameters.raw("prompt_tokens"), length_kinds.KINDS, problems)
    output = SampleLengths.read("groups.output_tokens", parameters.raw("output_tokens"), problems)
    parameters.finish()
    if not problems and requests % size:
        problems.append(f"requests: must be whole groups, a multiple of groups.size ({size}), got {requests:,}")
    raise_if_any(problems)
    assert timing is not None
    assert prompt is not None
    assert output is not None
    return Groups(
        name,
        source or f"generated: arrivals {in_words(arrivals)}; groups {in_words(given)}",
        timing,
        size,
        prompt,
        output,
    )
