"""Synthetic: a generated workload, from an arrival process and two length distributions.

Request 0 arrives at time 0 and gap i lies between requests i - 1 and i, as in a replay. Prompt and output lengths
are drawn independently of each other, unless `prompt_correlation` is asked for, and of the gaps.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from simcore.contract.traffic import Arrivals, Patience
from traces import lengths as length_kinds
from traces.draws import BLOCK
from traces.kinds import in_words, read_kind
from traces.lengths import Lengths
from traces.pairing import paired
from traces.parameters import Parameters, raise_if_any
from traces.timing import Timing

PROMPT_CORRELATION = "prompt_correlation"

MAX_SPAN_S = 4_000_000
"""46 days on average: half of what 63 bits of picoseconds hold."""


@dataclass(frozen=True)
class Synthetic:
    """`Workload` drawn from distributions. Pieces are blocks of `traces.draws.BLOCK` requests."""

    name: str
    source: str
    timing: Timing
    prompt_tokens: Lengths
    output_tokens: Lengths
    prompt_correlation: float = 0.0
    classes: tuple[str, ...] = ("default",)
    priorities: tuple[int, ...] = (0,)
    tools: tuple[str, ...] = ()
    patience: tuple[Patience, ...] = ()

    @property
    def rate(self) -> float:
        """Mean arrival rate in requests per second; infinite when all arrive at once."""
        return self.timing.rate

    @property
    def requests(self) -> int:
        """Number of requests."""
        return self.timing.requests

    @property
    def lasts_s(self) -> float:
        """Expected time until the last request arrives."""
        return self.requests / self.rate

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the requests in order."""
        for first, at_ps, for_prompt, for_output, for_pairing in zip(
            range(0, self.requests, BLOCK),
            self.timing.instants(),
            self.timing.generators("prompt"),
            self.timing.generators("output"),
            self.timing.generators("pairing"),
            strict=False,
        ):
            n = min(BLOCK, self.requests - first)
            self.timing.check_span(at_ps[:n])
            prompt, output = self.prompt_tokens.draw(for_prompt), self.output_tokens.draw(for_output)
            if self.prompt_correlation:
                output = paired(output, prompt, self.prompt_correlation, for_pairing)
            yield Arrivals(at_ps[:n], prompt[:n], output[:n])


def synthetic(
    *,
    arrivals: Mapping[str, object],
    prompt_tokens: Mapping[str, object],
    output_tokens: Mapping[str, object],
    rate: float | None,
    requests: int,
    seed: int = 0,
    replication: int = 0,
    name: str = "synthetic",
    source: str | None = None,
) -> Synthetic:
    """Return a generated workload; ParameterError (a ValueError) lists everything wrong with the parameters.

    arrivals, prompt_tokens, output_tokens: `{kind: ..., ...}`, see docs/traffic.md for the kinds. Output tokens may
        have a `prompt_correlation` beside: Spearman's rank correlation with the prompt tokens, -1 to 1.
    rate: mean arrivals per second; None for `all_at_once`, which has none.
    requests: how many; the first n are the same for every number.
    """
    problems: list[str] = []
    timing = Timing.read(arrivals, rate, requests, seed, replication, problems)
    if timing is not None and timing.requests / timing.rate > MAX_SPAN_S:
        problems.append(f"rate: {timing.requests:,} requests must arrive within 46 days, got {timing.rate:g} req/s")
    prompt = read_kind("prompt_tokens", prompt_tokens, length_kinds.KINDS, problems)
    output, prompt_correlation = _read_output(output_tokens, problems)
    raise_if_any(problems)
    assert timing is not None
    assert prompt is not None
    assert output is not None
    if source is None:
        parts = {"arrivals": arrivals, "prompt_tokens": prompt_tokens, "output_tokens": output_tokens}
        source = "generated: " + "; ".join(f"{part} {in_words(given)}" for part, given in parts.items())
    return Synthetic(name, source, timing, prompt, output, prompt_correlation)


def _read_output(given: object, problems: list[str]) -> tuple[Lengths | None, float]:
    """Take the kind of the output lengths, and `prompt_correlation` that may stand beside it."""
    beside, kind = {}, given
    if isinstance(given, Mapping):
        beside = {key: value for key, value in given.items() if key == PROMPT_CORRELATION}
        kind = {key: value for key, value in given.items() if key != PROMPT_CORRELATION}
    parameters = Parameters("output_tokens", beside, problems)
    correlation = parameters.number(PROMPT_CORRELATION, least=-1, most=1, default=0.0)
    return read_kind("output_tokens", kind, length_kinds.KINDS, problems), correlation
