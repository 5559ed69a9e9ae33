"""Copies: a network of a few links on a clock of its own, driven to its end."""

from collections.abc import Callable

from simcore.books.links import Link
from simcore.simulator.clock import ARRIVALS, Alarm, Clock
from simcore.simulator.network import Network, Transfer

S = 10**12
"""A second in picoseconds; links of `GB` bytes per second make round times."""
GB = 10**9


class Copies:
    """A network on a clock, driven to its end; `ends` holds (name, time) in the order of `done`."""

    over = False

    def __init__(self, *links: Link, launch_ps: int = 0) -> None:
        self.clock = Clock()
        self.network = Network(self.clock, links, launch_ps)
        self.ends: list[tuple[object, int]] = []
        self.transfers: dict[object, Transfer] = {}

    def at(self, time_ps: int, do: Callable[[], object], priority: int = ARRIVALS) -> None:
        def ring(_: Alarm) -> None:
            do()

        Alarm(self.clock, time_ps - self.clock.now, ring, priority)

    def start(self, name: object, path: str, bytes_: int, launches: int = 0, after: Callable[[], object] = int) -> None:
        def done() -> None:
            self.ends.append((name, self.clock.now))
            after()

        self.transfers[name] = self.network.start(path.split(), bytes_, launches, done)

    def cancel(self, name: object) -> bool:
        return self.network.cancel(self.transfers[name])

    def drive(self) -> dict[object, int]:
        self.clock.drive(self)
        return dict(self.ends)
