"""Validation: a real server's run replayed in the simulator, request by request, and how far off it is."""

from simcore.validation.latencies import Latencies, errors, percentiles
from simcore.validation.replay import Replayed, replay
from simcore.validation.server_run import ServerRun, read_run

__all__ = ["Latencies", "errors", "percentiles", "Replayed", "replay", "ServerRun", "read_run"]
