"""Recorded: the traffic of ServeGen's clients (arXiv:2505.09999), generated from their rates, families and lengths.

In every window each client sends by a stationary renewal process of that window's family and shape, at that window's
rate; so it sends `rate * window` requests on average, and clients and windows are independent. Streams of random
numbers are named by client, window and pass: dropping a client or moving the stretch leaves the others' draws alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

from numpy.random import Generator

from simcore.contract.traffic import Arrivals, Patience
from simcore.contract.units import PS_PER_S
from traces.clients.merging import Merged, counted, merged
from traces.clients.population import Client, Population, read_population
from traces.clients.renewal import Flow, Renewal
from traces.clients.stretch import Stretch, choose
from traces.draws import Purpose, blocks
from traces.parameters import Parameters, raise_if_any


@dataclass(frozen=True, eq=False)
class Recorded:
    """`Workload` of recorded clients. Time 0 is the start of the stretch, not the first request."""

    population: Population
    stretch: Stretch
    wanted: int | None
    """How many requests; None: all of the stretch."""
    seed: int
    replication: int
    classes: tuple[str, ...] = ("default",)
    priorities: tuple[int, ...] = (0,)
    tools: tuple[str, ...] = ()
    patience: tuple[Patience, ...] = ()
    skipped: int = 0

    @property
    def name(self) -> str:
        return self.population.path.name

    @property
    def source(self) -> str:
        from_s, for_s = self.stretch.from_s, self.stretch.to_s - self.stretch.from_s
        rates = "rates as recorded" if self.stretch.factor == 1 else f"rates times {self.stretch.factor:.6g}"
        return f"{self.population}; from {from_s:.12g} s for {for_s:.12g} s, {rates}"

    @property
    def rate(self) -> float:
        """Mean arrival rate in requests per second that is asked for; what comes varies around it."""
        return self.stretch.rate

    @cached_property
    def requests(self) -> int:
        """Number of requests. Of a whole stretch they are counted when asked, by drawing all arrivals."""
        if self.wanted is not None:
            return self.wanted
        return sum(counted(self._flows(piece), piece.lasts_s) for piece in self._windows(0))

    @property
    def lasts_s(self) -> float:
        """Expected time until the last request arrives."""
        return self.stretch.lasts_s

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the requests in order, at most a slice of a window at once."""
        for drawn in self.drawn():
            yield Arrivals(drawn.at_ps, drawn.prompt_tokens, drawn.output_tokens)

    def drawn(self) -> Iterator[Merged]:
        """Yield the requests in order, with the numbers of their clients."""
        left = self.wanted
        for turn in range(1) if left is None else count():
            for window in self._windows(turn):
                for piece in merged(self._flows(window), window.lasts_s):
                    n = len(piece) if left is None else min(len(piece), left)
                    if n:
                        at_ps = piece.at_ps[:n] + window.at_ps
                        yield Merged(at_ps, piece.prompt_tokens[:n], piece.output_tokens[:n], piece.client[:n])
                    if left is not None:
                        left -= n
                        if not left:
                            return

    def _windows(self, turn: int) -> Iterator["_Window"]:
        """Yield the windows of one pass through the stretch, the first and the last of them perhaps in part."""
        windows, stretch = self.population.windows, self.stretch
        pass_ps = round((stretch.to_s - stretch.from_s) * PS_PER_S)
        for index in range(len(windows.per_s)):
            start_s = windows.start_s + index * windows.window_s
            from_s, to_s = max(start_s, stretch.from_s), min(start_s + windows.window_s, stretch.to_s)
            if from_s < to_s:
                at_ps = turn * pass_ps + round((from_s - stretch.from_s) * PS_PER_S)
                yield _Window(turn, index, start_s, to_s - from_s, at_ps)

    def _flows(self, window: "_Window") -> list[Flow]:
        return [flow for client in self.population.clients if (flow := self._flow(client, window)) is not None]

    def _flow(self, client: Client, window: "_Window") -> Flow | None:
        """Return what a client sends in a window; None if it is idle."""
        family = client.rates.families[window.position]
        if family is None:
            return None
        assert client.blocks is not None
        block = client.blocks.at(window.start_s)
        assert block is not None
        per_s = float(client.rates.per_s[window.position]) * self.stretch.factor
        renewal = Renewal(family, self._generator("arrivals", client, window))
        stream = cache(partial(self._generator, "prompt", client, window))
        return Flow(client.number, per_s, renewal, partial(block.draw, stream))

    def _generator(self, purpose: Purpose, client: Client, window: "_Window", *part: int) -> Generator:
        return next(blocks(self.seed, self.replication, purpose, client.number, window.turn, window.position, *part))


class _Window(NamedTuple):
    """A window, or a part of it, as it is played: when it starts, by the files and by the workload."""

    turn: int
    """Of the passes through the stretch, from 0."""
    position: int
    """Among the windows of the files."""
    start_s: float
    lasts_s: float
    at_ps: int


def open_clients(
    path: Path,
    *,
    rate: float | None = None,
    requests: int | None = None,
    from_s: float | None = None,
    for_s: float | None = None,
    seed: int = 0,
    replication: int = 0,
) -> Recorded:
    """Return the traffic of the clients in a folder or tar of ServeGen's files.

    rate: mean requests per second; all clients' rates are multiplied by one factor. None: their own.
    requests: how many, the first ones; None: all that come in the stretch.
    from_s: where in the recorded time the stretch starts; None: at its start.
    for_s: how long it is; then `rate` is its mean, and it is repeated with new draws if `requests` are more. None:
        without `requests` a day, or what is left; with them what it takes, and `rate` is the mean of that time.
    seed, replication: choose the draws.

    Raises TraceError (files that cannot be used) or ParameterError; both are ValueError and list all problems.
    """
    problems: list[str] = []
    parameters = Parameters("", {"seed": seed, "replication": replication}, problems)
    parameters.integer("seed", least=0)
    parameters.integer("replication", least=0)
    population = read_population(path)
    stretch = choose(population, rate=rate, requests=requests, from_s=from_s, for_s=for_s, problems=problems)
    raise_if_any(problems)
    assert stretch is not None
    return Recorded(population, stretch, requests, seed, replication)
