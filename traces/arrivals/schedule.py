"""Schedule: arrivals whose rate varies over time as planned: with the hours of a day, or once, in a spike or a ramp."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Self

import numpy as np
from numpy.random import Generator

from traces.arrivals.process import ArrivalProcess, Gaps
from traces.arrivals.renewal import read_gaps
from traces.arrivals.warp import Seconds, Steps
from traces.durations import MAX_S
from traces.parameters import Parameters

HOURS = 24
_MINUTES = 1440
_STAIRS = 100


@dataclass(frozen=True)
class Scheduled:
    """Arrivals of a process on a clock of varying rate: once through `opening`, then through `cycle` for ever."""

    opening: Sequence[tuple[float, float]]
    """(seconds, relative rate)"""
    cycle: Sequence[tuple[float, float]]
    base: ArrivalProcess
    has_rate = True

    def gaps(self, generators: Iterator[Generator]) -> Iterator[Gaps]:
        return self.base.gaps(generators)

    def steps(self, generators: Iterator[Generator]) -> Iterator[Steps]:
        opening = [np.array(self.opening)] if self.opening else []
        return chain(opening, repeat(np.array(self.cycle)))


@dataclass(frozen=True)
class Diurnal(Scheduled):
    """A day of `day_s` seconds over and over, begun at `start_hour`: a sinusoid, or 24 hours with relative rates.

    The sinusoid is 1 + amplitude * cos of the time since `peak_hour`; in each minute (a 1440th of the day) the rate is
    constant, the minute's mean.
    """

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        day_s = parameters.number("day_s", least=1, most=MAX_S, default=86_400.0)
        start_hour = parameters.number("start_hour", least=0, most=HOURS, default=0.0)
        relative_rates = _read_curve(parameters)
        lasting_s = day_s / len(relative_rates)
        day = [(lasting_s, float(rate)) for rate in relative_rates]
        begun, part = divmod(start_hour / HOURS * len(day), 1)
        now = int(begun) % len(day)
        rest = [((1 - part) * lasting_s, day[now][1]), *day[now + 1 :]]
        return cls(tuple(rest), tuple(day), read_gaps(parameters))


@dataclass(frozen=True)
class Spike(Scheduled):
    """`factor` times the rate from `at_s` on, for `for_s` seconds, once; the rate before and after."""

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        at_s = parameters.number("at_s", least=0, most=MAX_S)
        for_s = parameters.positive("for_s", most=MAX_S)
        factor = parameters.number("factor", least=0, most=1e6)
        return cls(((at_s, 1.0), (for_s, factor)), _STEADY, read_gaps(parameters))


@dataclass(frozen=True)
class Ramp(Scheduled):
    """From `start` times the rate to the rate in `for_s` seconds, in 100 equal stairs; the rate from then on."""

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        start = parameters.number("start", least=0, most=1e6)
        for_s = parameters.positive("for_s", most=MAX_S)
        middles = (np.arange(_STAIRS) + 0.5) / _STAIRS
        stairs = [(for_s / _STAIRS, float(rate)) for rate in start + (1 - start) * middles]
        return cls(tuple(stairs), _STEADY, read_gaps(parameters))


_STEADY = ((float(MAX_S), 1.0),)


def _read_curve(parameters: Parameters) -> Seconds:
    """Take `hourly`, or `amplitude` and `peak_hour`; return relative rates of equal parts of the day, with mean 1."""
    hourly, sinusoid = parameters.has("hourly"), parameters.has("amplitude") or parameters.has("peak_hour")
    if hourly and not sinusoid:
        rates = np.array(parameters.numbers("hourly", least=0))
        if len(rates) not in (0, HOURS):
            parameters.add("hourly", f"must be {HOURS} relative rates, got {len(rates)}")
        if not rates.any():
            if len(rates):
                parameters.add("hourly", "must not all be 0")
            return np.ones(HOURS)
        normal: Seconds = rates / rates.mean()
        return normal
    if hourly == sinusoid:
        got = "both" if hourly else "neither"
        parameters.add("hourly", f"give either hourly or amplitude and peak_hour, got {got}")
        return np.ones(HOURS)
    amplitude = parameters.number("amplitude", least=0, most=1)
    peak_hour = parameters.number("peak_hour", least=0, most=HOURS)
    edges = 2 * np.pi * (np.arange(_MINUTES + 1) / _MINUTES - peak_hour / HOURS)
    means: Seconds = 1 + amplitude * np.diff(np.sin(edges)) * _MINUTES / (2 * np.pi)
    return means
