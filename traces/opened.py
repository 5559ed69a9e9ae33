"""Opened: what every source of traffic knows of itself, before any of it is read."""

from typing import Protocol

from simcore.contract.traffic import Workload


class Opened(Workload, Protocol):
    """A workload of known size."""

    @property
    def requests(self) -> int:
        """Number of requests."""

    @property
    def lasts_s(self) -> float:
        """Time until the last request arrives by itself; expected, if it is drawn."""
