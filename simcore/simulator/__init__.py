"""The simulator: SimPy keeps the time, a cost model says how long iterations take, the books say what is where."""

from simcore.simulator.actions import STARTS
from simcore.simulator.rollout_actions import ROLLOUT_STARTS
from simcore.simulator.rollout_settings import RolloutSettings
from simcore.simulator.settings import Fault, Mechanisms, Outcome, Settings, Sink
from simcore.simulator.simulator import simulate
from simcore.simulator.topology import Topology

__all__ = [
    "ROLLOUT_STARTS",
    "STARTS",
    "Fault",
    "Mechanisms",
    "Outcome",
    "RolloutSettings",
    "Settings",
    "Sink",
    "Topology",
    "simulate",
]
