"""Process: what a kind of arrivals draws, and how it becomes arrival times."""

from collections.abc import Iterator
from typing import Protocol, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from simcore.contract.traffic import Column
from simcore.contract.units import PS_PER_S
from traces.arrivals.warp import Steps, Warp
from traces.parameters import Parameters

Gaps = NDArray[np.float64]

NEVER_PS = 2**63 - 2**11
"""An instant the clock cannot hold, 106 days on, and every one after it."""


class ArrivalProcess(Protocol):
    """A kind of `arrivals`."""

    @classmethod
    def read(cls, parameters: Parameters, /) -> Self:
        """Take its parameters from a study or the catalogue."""

    @property
    def has_rate(self) -> bool:
        """Whether requests are spread over time."""

    def gaps(self, generators: Iterator[Generator]) -> Iterator[Gaps]:
        """Yield [BLOCK] float64 gaps >= 0 with mean 1 for each generator."""

    def steps(self, generators: Iterator[Generator]) -> Iterator[Steps] | None:
        """Yield how the rate varies, without end, 1 in the long run; None: it does not."""


class Steady:
    """A process whose rate does not vary."""

    def steps(self, generators: Iterator[Generator]) -> None:
        return None


def instants(
    process: ArrivalProcess, rate: float, generators: Iterator[Generator], modulating: Iterator[Generator]
) -> Iterator[Column]:
    """Yield [BLOCK] int64 arrival times in picoseconds for each generator; gap i lies before time i.

    The first is 0, or where the rate begins with 0, the time until it has not. Times out of range are `NEVER_PS`.
    rate: mean arrivals per second, infinite when all come at once.
    modulating: generators for how the rate varies.
    """
    ps_per_gap = PS_PER_S / rate
    steps = process.steps(modulating)
    warp = None if steps is None else Warp(steps)
    now = None
    for gaps in process.gaps(generators):
        times = np.cumsum(gaps) + (-gaps[0] if now is None else now)
        now = times[-1]
        at_ps = times * ps_per_gap
        if warp is not None:
            at_ps = warp.seconds(np.minimum(at_ps, NEVER_PS) / PS_PER_S) * PS_PER_S
        yield np.rint(np.minimum(at_ps, NEVER_PS)).astype(np.int64)
