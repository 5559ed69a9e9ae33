"""Agents: clients that replay a workload against any OpenAI-compatible server, tools waited for between turns."""

from simcore.agents.programs import Program, Turn, read_programs
from simcore.agents.replay import Target, replay
from simcore.agents.result import bench_result

__all__ = ["Program", "Target", "Turn", "bench_result", "read_programs", "replay"]
