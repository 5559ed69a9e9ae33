"""Synthetic: a generated workload, from an arrival process and two length distributions.

Request 0 arrives at time 0 and gap i lies between requests i - 1 and i, as in a replay. Prompt and output lengths
are drawn independently of each other and of the gaps.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Protocol, Self, TypeVar

import numpy as np

from simcore.contract.traffic import Arrivals
from simcore.contract.units import PS_PER_S
from traces import arrivals as arrival_kinds
from traces import lengths as length_kinds
from traces.arrivals import ArrivalProcess
from traces.draws import BLOCK, blocks
from traces.lengths import Lengths
from traces.parameters import Parameters, raise_if_any

MAX_SPAN_S = 4_000_000
"""46 days on average: half of what 63 bits of picoseconds hold."""


@dataclass(frozen=True)
class Synthetic:
    """`Workload` drawn from distributions. Pieces are blocks of `traces.draws.BLOCK` requests."""

    name: str
    source: str
    arrivals: ArrivalProcess
    prompt_tokens: Lengths
    output_tokens: Lengths
    rate: float
    """Mean arrival rate in requests per second; infinite when all arrive at once."""
    requests: int
    seed: int
    replication: int
    classes: tuple[str, ...] = ("default",)
    priorities: tuple[int, ...] = (0,)

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the requests in order."""
        ps_per_gap = PS_PER_S / self.rate
        now = None
        for first, gaps, for_prompt, for_output in zip(
            range(0, self.requests, BLOCK),
            self.arrivals.gaps(blocks(self.seed, self.replication, "arrivals")),
            blocks(self.seed, self.replication, "prompt"),
            blocks(self.seed, self.replication, "output"),
            strict=False,
        ):
            times = np.cumsum(gaps) + (-gaps[0] if now is None else now)
            now = times[-1]
            n = min(BLOCK, self.requests - first)
            if times[n - 1] * ps_per_gap >= 2.0**63:
                raise ValueError(
                    f"rate: {self.requests:,} requests must arrive within 106 days, got {self.rate:g} req/s"
                )
            yield Arrivals(
                np.rint(times[:n] * ps_per_gap).astype(np.int64),
                self.prompt_tokens.draw(for_prompt)[:n],
                self.output_tokens.draw(for_output)[:n],
            )


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

    arrivals, prompt_tokens, output_tokens: `{kind: ..., ...}`, see docs/traffic.md for the kinds.
    rate: mean arrivals per second; None for `all_at_once`, which has none.
    requests: how many; the first n are the same for every number.
    """
    problems: list[str] = []
    process = _read("arrivals", arrivals, arrival_kinds.KINDS, problems)
    prompt = _read("prompt_tokens", prompt_tokens, length_kinds.KINDS, problems)
    output = _read("output_tokens", output_tokens, length_kinds.KINDS, problems)
    given = {"rate": rate, "requests": requests, "seed": seed, "replication": replication}
    parameters = Parameters("", given, problems)
    count = parameters.integer("requests", least=1)
    if process is None or process.has_rate:
        per_second = parameters.positive("rate")
        if count / per_second > MAX_SPAN_S:
            parameters.add("rate", f"{count:,} requests must arrive within 46 days, got {per_second:g} req/s")
    else:
        per_second = inf
        if rate is not None:
            parameters.add("rate", f"must be left out when all requests arrive at once, got {rate!r}")
    seeds = parameters.integer("seed", least=0), parameters.integer("replication", least=0)
    raise_if_any(problems)
    assert process is not None
    assert prompt is not None
    assert output is not None
    if source is None:
        parts = {"arrivals": arrivals, "prompt_tokens": prompt_tokens, "output_tokens": output_tokens}
        source = "generated: " + "; ".join(f"{part} {_in_words(given)}" for part, given in parts.items())
    return Synthetic(name, source, process, prompt, output, per_second, count, *seeds)


class _Kind(Protocol):
    @classmethod
    def read(cls, parameters: Parameters, /) -> Self: ...


_K = TypeVar("_K", bound=_Kind)


def _read(where: str, given: object, kinds: Mapping[str, type[_K]], problems: list[str]) -> _K | None:
    parameters = Parameters(where, given, problems)
    if not isinstance(given, Mapping):
        return None
    kind = parameters.choice("kind", kinds)
    if kind is None:
        return None
    known = kinds[kind].read(parameters)
    parameters.finish()
    return known


def _in_words(given: Mapping[str, object]) -> str:
    """Return `{"kind": "gamma", "cv": 2}` as "gamma cv=2"; long tables by their size."""
    parts = [
        f"{key}={f'({len(value)} values)' if isinstance(value, list | tuple) and len(value) > 6 else value}"
        for key, value in given.items()
        if key != "kind"
    ]
    return " ".join([str(given["kind"]), *parts])
