"""Population: all clients of a model, read and checked once per process for as long as their files do not change."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from traces.clients.blocks import Blocks, read_blocks
from traces.clients.bundle import client_files, content_hash
from traces.clients.findings import Findings
from traces.clients.rates import Rates, read_rates
from traces.problems import TraceError


@dataclass(frozen=True, eq=False)
class Client:
    """One client. number: of its files, and of its draws. blocks: None if its lengths are not there."""

    number: int
    rates: Rates
    blocks: Blocks | None


@dataclass(frozen=True, eq=False)
class Population:
    """Clients by number, all with the same windows; some may have no lengths, and cannot be generated."""

    path: Path
    sha256: str
    everyone: tuple[Client, ...]

    @cached_property
    def clients(self) -> tuple[Client, ...]:
        """Those that have lengths."""
        return tuple(client for client in self.everyone if client.blocks is not None)

    @property
    def windows(self) -> Rates:
        """Rates of the first client: start, length and number of windows are everybody's."""
        return self.everyone[0].rates

    @cached_property
    def per_s(self) -> NDArray[np.float64]:
        """[w] float64, requests per second of all clients with lengths together."""
        total: NDArray[np.float64] = np.sum([client.rates.per_s for client in self.clients], axis=0)
        return total

    @property
    def share_left_out(self) -> float:
        """Share of all requests whose clients have no lengths."""
        everything = sum(float(client.rates.per_s.sum()) for client in self.everyone)
        return 1 - float(self.per_s.sum()) / everything if everything else 0.0

    def __str__(self) -> str:
        missing = len(self.everyone) - len(self.clients)
        clients = f"{len(self.clients)} clients"
        if missing:
            clients = (
                f"{len(self.clients)} of {len(self.everyone)} clients, {missing} without length data left out "
                f"({self.share_left_out:.0%} of the requests)"
            )
        return f"{self.path.name} (ServeGen clients, sha256 {self.sha256}): {clients}"


def read_population(path: Path) -> Population:
    """Read the clients in a folder or tar; TraceError lists what is wrong with them."""
    files = [path, *sorted(path.iterdir())] if path.is_dir() else [path]
    stats = [file.stat() for file in files if file.exists()]
    return _read(path, tuple((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats))


@lru_cache(maxsize=4)
def _read(path: Path, _version: tuple[tuple[int, int, int], ...]) -> Population:
    findings = Findings()
    rates: dict[int, Rates | None] = {}
    blocks: dict[int, Blocks | None] = {}
    places: dict[int, str] = {}
    for file in client_files(path):
        if file.client in (rates if file.part == "trace.csv" else blocks):
            findings.add(file.place, 1, 1, f"chunk-{file.client}-{file.part} is there twice")
        elif file.part == "trace.csv":
            places[file.client] = file.place
            rates[file.client] = read_rates(file, findings)
        else:
            blocks[file.client] = read_blocks(file, findings)
            if file.client not in places:
                places[file.client] = file.place
    for client in sorted(blocks.keys() - rates.keys()):
        findings.add(places[client], 1, 1, f"has no chunk-{client}-trace.csv beside it, which has its rates")
    findings.raise_if_any()
    read = [Client(each, found, blocks.get(each)) for each, found in sorted(rates.items()) if found is not None]
    if not read:
        raise TraceError([f"{path}:1:1: has no client files, chunk-<number>-trace.csv and chunk-<number>-dataset.json"])
    _check_together(read, places, findings)
    if all(client.blocks is None for client in read):
        findings.add(str(path), 1, 1, "has rates only: no client has lengths (chunk-<number>-dataset.json)")
    findings.raise_if_any()
    return Population(path, content_hash(path), tuple(read))


def _check_together(clients: list[Client], places: dict[int, str], findings: Findings) -> None:
    """Note clients with other windows than the first, and those that send before they have lengths."""
    first = clients[0].rates
    for client in clients:
        rates = client.rates
        if not rates.same_windows(first):
            findings.add(
                places[client.number],
                1,
                1,
                f"must have the windows of {places[clients[0].number]} ({_in_words(first)}), got {_in_words(rates)}",
            )
        sending = np.flatnonzero(rates.per_s)
        if client.blocks is None or not len(sending):
            continue
        start_s = rates.start_s + int(sending[0]) * rates.window_s
        if client.blocks.at(start_s) is None:
            findings.add(
                places[client.number], int(sending[0]) + 1, 1, f"sends at {start_s:g} s, but has no lengths yet"
            )


def _in_words(rates: Rates) -> str:
    return f"{len(rates.per_s)} of {rates.window_s:g} s from {rates.start_s:g} s"
