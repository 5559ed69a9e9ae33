"""Markov: arrivals whose rate goes from state to state at random: bursts and quiet times.

Request 0 arrives at time 0 as any request does: in a state that is the likelier the more requests come in it. So every
gap has the mean 1 / rate, the first ones too.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from traces.arrivals.process import ArrivalProcess, Gaps
from traces.arrivals.renewal import read_gaps
from traces.arrivals.warp import Steps
from traces.draws import BLOCK
from traces.durations import MAX_S
from traces.parameters import Parameters

LEAST_S = 0.001
"""A state lasts this long on average at least: each change of state costs a draw."""


@dataclass(frozen=True)
class Mmpp:
    """Markov-modulated Poisson process, or with other gaps its like: state i has relative rate `rates[i]`.

    It lasts `sojourn_s[i]` on average (exponential, or always if `fixed`), and `transitions[i][j]` is the probability
    that state j follows.
    """

    rates: tuple[float, ...]
    sojourn_s: tuple[float, ...]
    transitions: tuple[tuple[float, ...], ...]
    fixed: bool
    base: ArrivalProcess
    has_rate = True

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        rates = parameters.numbers("rates", least=0)
        sojourn_s = parameters.numbers("sojourn_s", least=LEAST_S)
        if rates and sojourn_s and len(sojourn_s) != len(rates):
            parameters.add("sojourn_s", f"must be as many as rates ({len(rates)}), got {len(sojourn_s)}")
        if len(rates) == 1:
            parameters.add("rates", "must be of two states at least, got 1")
        if rates and not any(rates):
            parameters.add("rates", "must not all be 0")
        return cls(
            rates, sojourn_s, _read_transitions(parameters, len(rates)), _read_fixed(parameters), read_gaps(parameters)
        )

    def gaps(self, generators: Iterator[Generator]) -> Iterator[Gaps]:
        return self.base.gaps(generators)

    def steps(self, generators: Iterator[Generator]) -> Iterator[Steps]:
        sojourn_s, share = np.array(self.sojourn_s), self.time_shares
        relative_rate = np.array(self.rates) / (share @ self.rates)
        state = None
        for generator in generators:
            scale = np.ones(BLOCK) if self.fixed else generator.standard_exponential(BLOCK)
            if state is None:
                state = _chosen(share * relative_rate, generator.random())
                scale[0] = generator.random() if self.fixed else scale[0]  # what is left of the state at time 0
            visited = self._path(state, generator.random(BLOCK).tolist())
            state = visited.pop()
            yield np.stack([sojourn_s[visited] * scale, relative_rate[visited]], axis=1)

    @property
    def time_shares(self) -> NDArray[np.float64]:
        """[states]: how much of the time is spent in each."""
        visits = _stationary(np.array(self.transitions))
        in_state_s = visits * self.sojourn_s
        share: NDArray[np.float64] = in_state_s / in_state_s.sum()
        return share

    def _path(self, state: int, uniforms: list[float]) -> list[int]:
        """Return the states visited from `state` on, one more than there are `uniforms`."""
        edges = [np.cumsum(row)[:-1].tolist() for row in self.transitions]
        visited = [state]
        for uniform in uniforms:
            state = bisect_right(edges[state], uniform)
            visited.append(state)
        return visited


@dataclass(frozen=True)
class OnOff(Mmpp):
    """Bursts: on for the share `duty` of the time, `on_s` at once on average; off, `quiet` times the rate of on."""

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        duty = parameters.number("duty", least=0.0001, most=0.9999)
        on_s = parameters.number("on_s", least=LEAST_S, most=MAX_S)
        quiet = parameters.number("quiet", least=0, most=1, default=0.0)
        off_s = on_s * (1 - duty) / duty
        return cls((1.0, quiet), (on_s, off_s), _all_alike(2), _read_fixed(parameters), read_gaps(parameters))


def _chosen(weights: NDArray[np.float64], uniform: float) -> int:
    """Return the index that a uniform number chooses."""
    edges = np.cumsum(weights)
    return int(np.searchsorted(edges[:-1] / edges[-1], uniform, side="right"))


def _stationary(transitions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how often each state is visited in the long run, in shares.

    >>> _stationary(np.array([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5], [0.0, 1.0, 0.0]])).round(12).tolist()
    [0.25, 0.5, 0.25]
    """
    states = len(transitions)
    balance = np.vstack([transitions.T - np.eye(states), np.ones(states)])
    visits: NDArray[np.float64] = np.linalg.lstsq(balance, np.append(np.zeros(states), 1.0), rcond=None)[0]
    return visits


def _read_transitions(parameters: Parameters, states: int) -> tuple[tuple[float, ...], ...]:
    """Take `transitions`, a row for each state; left out: every other state is as likely."""
    given = parameters.raw("transitions")
    if given is None or not states:  # without states the rates are wrong, and said to be
        return _all_alike(states)
    rows = given if isinstance(given, list | tuple) else []
    square = len(rows) == states and all(isinstance(row, list | tuple) and len(row) == states for row in rows)
    numbers = square and all(isinstance(p, int | float) and 0 <= p <= 1 for row in rows for p in row)
    if not numbers:
        rule = f"must be {states} rows of {states} probabilities, one for each of rates"
        parameters.add("transitions", f"{rule}, got {given!r}")
        return ()
    for i, row in enumerate(rows):
        if row[i] != 0 or not 0.999 <= sum(row) <= 1.001:
            parameters.add("transitions", f"must sum to 1 in each row, with 0 for staying, got {list(row)!r}")
            return ()
    reached = np.linalg.matrix_power(np.eye(states) + np.array(rows, float), states) > 0
    if not reached.all():
        parameters.add("transitions", f"must lead from every state to every other, got {given!r}")
        return ()
    return tuple(tuple(float(p) / sum(row) for p in row) for row in rows)


def _all_alike(states: int) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(i != j) / max(states - 1, 1) for j in range(states)) for i in range(states))


def _read_fixed(parameters: Parameters) -> bool:
    """Take `sojourns`: how long states last."""
    given = parameters.raw("sojourns")
    return given is not None and parameters.choice("sojourns", ("exponential", "fixed")) == "fixed"
