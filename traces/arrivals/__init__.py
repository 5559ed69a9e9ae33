"""Arrivals: when generated requests come: gaps in units of their mean, on a clock that may run at a varying rate.

A kind draws its gaps block by block, each from that block's generator, and may carry state from block to block. The
mean rate scales them: the same seed at twice the rate is the same traffic in half the time. A modulated kind also says
how its rate varies over time, in seconds (bursts, the hours of a day): there the same seed at twice the rate meets the
same bursts and the same day, with twice the requests in each.
"""

from traces.arrivals.markov import Mmpp, OnOff
from traces.arrivals.process import NEVER_PS, ArrivalProcess, Gaps, instants
from traces.arrivals.renewal import RENEWAL, AllAtOnce
from traces.arrivals.schedule import Diurnal, Ramp, Spike

KINDS: dict[str, type[ArrivalProcess]] = {
    **RENEWAL,
    "all_at_once": AllAtOnce,
    "on_off": OnOff,
    "mmpp": Mmpp,
    "diurnal": Diurnal,
    "spike": Spike,
    "ramp": Ramp,
}
"""A new kind is a class listed here."""

__all__ = ["KINDS", "NEVER_PS", "ArrivalProcess", "Gaps", "instants"]
