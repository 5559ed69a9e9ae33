"""Statistics: what a population's files say of its traffic, each client and window weighed by its rate."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from traces.clients.blocks import Block
from traces.clients.population import Client, Population
from traces.clients.tables import Table

Pick = Callable[[Block], Table]


@dataclass(frozen=True)
class Traffic:
    """Of all clients, also those without lengths.

    rate, peak: requests per second on average, and in the busiest window.
    top, top_ten: share of the requests that the largest client has, and the ten largest.
    cv: mean coefficient of variation of the gaps as measured; fitted_cv: of the families fitted to them.
    """

    rate: float
    peak: float
    top: float
    top_ten: float
    cv: float
    fitted_cv: float

    @classmethod
    def of(cls, clients: tuple[Client, ...]) -> "Traffic":
        per_s = np.array([client.rates.per_s for client in clients])
        cv = np.array([client.rates.cv for client in clients])
        fitted = np.array([[0.0 if each is None else each.cv for each in client.rates.families] for client in clients])
        shares = np.sort(per_s.sum(axis=1))[::-1] / per_s.sum()
        weights = per_s / per_s.sum()
        return cls(
            rate=float(per_s.sum(axis=0).mean()),
            peak=float(per_s.sum(axis=0).max()),
            top=float(shares[0]),
            top_ten=float(shares[:10].sum()),
            cv=float((weights * cv).sum()),
            fitted_cv=float((weights * fitted).sum()),
        )


def lengths(population: Population, pick: Pick, from_s: float = 0.0, to_s: float = np.inf) -> Table:
    """Return the distribution of one field, over the clients with lengths and the windows that start in a time."""
    parts = [(pick(block), weight) for block, weight in _blocks(population, from_s, to_s)]
    together = np.concatenate([table.values for table, _ in parts]).astype(np.float64)
    values, where = np.unique(together, return_inverse=True)
    chances = np.concatenate([table.chances * weight for table, weight in parts])
    return Table.of(values, np.bincount(where, chances).astype(np.float64))


def mean_prompt(population: Population, from_s: float = 0.0, to_s: float = np.inf) -> float:
    """Return the mean number of prompt tokens, with those of images, audios and videos."""
    parts = list(_blocks(population, from_s, to_s))
    means = [block.prompt.mean + sum(count.mean * each.mean for count, each in block.media) for block, _ in parts]
    weights = [weight for _, weight in parts]
    return float(np.average(means, weights=weights))


def quantiles(table: Table, *chances: float) -> list[int]:
    """Return the smallest values that at least such a share is not above.

    >>> quantiles(Table.of(np.array([10.0, 20.0]), np.array([0.5, 0.5])), 0.5, 0.9)
    [10, 20]
    """
    found: NDArray[np.int64] = table.values[np.searchsorted(table.below, chances, side="left")]
    return [int(value) for value in found]


def _blocks(population: Population, from_s: float, to_s: float) -> Iterator[tuple[Block, float]]:
    """Yield the blocks that have requests, each with how many per second, summed over its windows."""
    windows = population.windows
    starts_s = windows.start_s + windows.window_s * np.arange(len(windows.per_s))
    chosen = np.flatnonzero((starts_s + windows.window_s > from_s) & (starts_s < to_s))
    for client in population.clients:
        assert client.blocks is not None
        weights: dict[int, float] = {}
        found: dict[int, Block] = {}
        for window in chosen[client.rates.per_s[chosen] > 0]:
            block = client.blocks.at(float(starts_s[window]))
            assert block is not None
            found[id(block)] = block
            weights[id(block)] = weights.get(id(block), 0.0) + float(client.rates.per_s[window])
        yield from ((block, weights[key]) for key, block in found.items())
