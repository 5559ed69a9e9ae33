"""The simulator: SimPy keeps the time, a cost model says how long iterations take, the books say what is where."""

from simcore.simulator.actions import STARTS
from simcore.simulator.settings import Outcome, Settings, Sink
from simcore.simulator.simulator import simulate

__all__ = ["STARTS", "Outcome", "Settings", "Sink", "simulate"]
