"""The simulator: SimPy keeps the time, a cost model says how long iterations take, the books say what is where."""

from simcore.simulator.actions import STARTS
from simcore.simulator.settings import Fault, Mechanisms, Outcome, Settings, Sink
from simcore.simulator.simulator import simulate
from simcore.simulator.topology import Topology

__all__ = ["STARTS", "Fault", "Mechanisms", "Outcome", "Settings", "Sink", "Topology", "simulate"]
