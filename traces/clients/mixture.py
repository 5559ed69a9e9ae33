"""Mixture: generated clients, few of them heavy and each with its own burstiness and lengths, from a few numbers.

Client k of n has a share of the requests proportional to k^-skew, gamma gaps with a coefficient of variation drawn
from `cv`, and the given lengths, shifted as `between` says. What is left out is as in ServeGen's m-large
(arXiv:2505.09999).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from simcore.contract.traffic import Arrivals, Patience
from simcore.contract.units import PS_PER_S
from traces.clients.curve import Curve
from traces.clients.families import LEAST_CV, MOST_CV, Gamma
from traces.clients.merging import Merged, merged
from traces.clients.renewal import Draw, Flow, Renewal
from traces.clients.spread import SpreadLengths, read_spread
from traces.draws import Purpose, Tape, blocks
from traces.kinds import in_words
from traces.parameters import Parameters, raise_if_any
from traces.quantiles import Quantiles
from traces.synthetic import MAX_SPAN_S

DEFAULTS: Mapping[str, object] = {
    "count": 100,
    "skew": 1.1,
    "cv": {"probabilities": [0, 0.1, 0.5, 0.9, 0.99, 1], "values": [0.5, 0.7, 1.17, 4.3, 13.2, 13.2]},
    "prompt_tokens": {"kind": "lognormal", "mu": 6.24, "sigma": 0.78, "between": 0.88, "max": 30_712},
    "output_tokens": {"kind": "lognormal", "mu": 3.64, "sigma": 0.98, "between": 1.8, "max": 9_307},
}
"""Of m-large: quantiles of the CV over clients and windows, logs of lengths within and between clients (weighted by
rate), largest lengths. The largest of 100 clients then has 23% of the requests and the ten largest 63% (m-large: 16%
and 63%)."""

MOST_CLIENTS = 1000
"""Each keeps a block of lengths at hand, 130 kB."""

_REQUESTS, _CHARACTER = 0, 1
"""Parts of a client's streams: what its requests are, and what it is like itself."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """`Workload` of generated clients. Time 0 is a moment like any other: the first request comes when it comes.

    shares: [n] float64, of the requests, falling, with sum 1. cv: where the clients' burstiness is drawn from.
    rate: mean requests per second, over whole days of the curve.
    """

    source: str
    shares: NDArray[np.float64]
    cv: Quantiles
    prompt_tokens: SpreadLengths
    output_tokens: SpreadLengths
    curve: Curve
    rate: float
    requests: int
    seed: int
    replication: int
    name: str = "clients"
    classes: tuple[str, ...] = ("default",)
    priorities: tuple[int, ...] = (0,)
    tools: tuple[str, ...] = ()
    patience: tuple[Patience, ...] = ()
    skipped: int = 0

    @property
    def lasts_s(self) -> float:
        """Expected time until the last request arrives."""
        busy_ps = np.array([round(self.requests / self.rate * PS_PER_S)])
        return int(self.curve.picoseconds(busy_ps)[0]) / PS_PER_S

    def cv_of(self, client: int) -> float:
        """Return the coefficient of variation of a client's gaps."""
        uniform = self._generator("arrivals", _CHARACTER, client).random(1)
        return float(self.cv.at(uniform)[0])

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the requests in order."""
        for drawn in self.drawn():
            yield Arrivals(drawn.at_ps, drawn.prompt_tokens, drawn.output_tokens)

    def drawn(self) -> Iterator[Merged]:
        """Yield the requests in order, with the numbers of their clients."""
        left = self.requests
        for piece in merged([self._flow(client) for client in range(len(self.shares))], float("inf")):
            n = min(len(piece), left)
            if n:
                at_ps = self.curve.picoseconds(piece.at_ps[:n])
                yield Merged(at_ps, piece.prompt_tokens[:n], piece.output_tokens[:n], piece.client[:n])
            left -= n
            if not left:
                return

    def _flow(self, client: int) -> Flow:
        renewal = Renewal(Gamma(self.cv_of(client) ** -2), self._generator("arrivals", _REQUESTS, client))
        return Flow(client, float(self.shares[client]) * self.rate, renewal, self._draw(client))

    def _draw(self, client: int) -> Draw:
        prompt, output = (
            Tape(
                map(spread.of_client(self._generator(purpose, _CHARACTER, client)).draw, self._blocks(purpose, client))
            )
            for purpose, spread in self._spreads
        )
        return lambda n: (prompt.take(n), output.take(n))

    @property
    def _spreads(self) -> tuple[tuple[Purpose, SpreadLengths], ...]:
        return ("prompt", self.prompt_tokens), ("output", self.output_tokens)

    def _blocks(self, purpose: Purpose, client: int) -> Iterator[Generator]:
        return blocks(self.seed, self.replication, purpose, _REQUESTS, client)

    def _generator(self, purpose: Purpose, part: int, client: int) -> Generator:
        return next(blocks(self.seed, self.replication, purpose, part, client))


def clients(
    given: Mapping[str, object], *, rate: float | None, requests: int | None, seed: int = 0, replication: int = 0
) -> Mixture:
    """Return generated clients; ParameterError (a ValueError) lists everything wrong with the parameters.

    given: `{count, skew, cv, prompt_tokens, output_tokens, diurnal}`, see docs/clients.md; all may be left out.
    rate: mean requests per second of all clients together.
    requests: how many; the first n are the same for every number.
    seed, replication: choose the draws, those of what the clients are like too.
    """
    problems: list[str] = []
    parameters = Parameters("clients", {**DEFAULTS, **given} if isinstance(given, Mapping) else given, problems)
    count = parameters.integer("count", least=1, most=MOST_CLIENTS)
    skew = parameters.number("skew", least=0, most=10)
    cv = _read_cv(parameters.raw("cv"), problems)
    prompt = read_spread("clients.prompt_tokens", parameters.raw("prompt_tokens"), problems)
    output = read_spread("clients.output_tokens", parameters.raw("output_tokens"), problems)
    curve = _read_curve(parameters.raw("diurnal"), problems)
    parameters.finish()
    asked = Parameters("", {"rate": rate, "requests": requests, "seed": seed, "replication": replication}, problems)
    per_s, wanted = asked.positive("rate"), asked.integer("requests", least=1)
    seeds = asked.integer("seed", least=0), asked.integer("replication", least=0)
    if wanted / per_s > MAX_SPAN_S:
        problems.append(f"rate: {wanted:,} requests must arrive within 46 days, got {per_s:g} req/s")
    raise_if_any(problems)
    assert prompt is not None
    assert output is not None
    weights = np.arange(1, count + 1) ** -skew
    source = f"generated: clients {in_words({**DEFAULTS, **given})}"
    return Mixture(source, weights / weights.sum(), cv, prompt, output, curve, per_s, wanted, *seeds)


def _read_cv(given: object, problems: list[str]) -> Quantiles:
    """Return one number for all clients, or a table of quantiles."""
    table = isinstance(given, Mapping)
    parameters = Parameters("clients.cv" if table else "clients", given if table else {"cv": given}, problems)
    if not table:
        cv = parameters.number("cv", least=LEAST_CV, most=MOST_CV)
        return Quantiles((0.0, 1.0), (cv, cv))
    quantiles = Quantiles.read(parameters, "values", least=LEAST_CV)
    if quantiles.values and quantiles.values[-1] > MOST_CV:
        parameters.add("values", f"must be at most {MOST_CV:g}, got {quantiles.values[-1]:g}")
    parameters.finish()
    return quantiles


def _read_curve(given: object, problems: list[str]) -> Curve:
    if given is None:
        return Curve()
    parameters = Parameters("clients.diurnal", given, problems)
    curve = Curve.read(parameters)
    parameters.finish()
    return curve
