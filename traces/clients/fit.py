"""Fit: how far the generated traffic of recorded clients is from what their files say.

python -m traces.clients.fit PATH [--from-s S] [--for-s S] [--rate R] [--seed N]
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simcore.contract.traffic import Column
from simcore.contract.units import PS_PER_S
from traces.clients.merging import Merged
from traces.clients.recorded import Recorded, open_clients
from traces.clients.statistics import lengths, mean_prompt
from traces.clients.tables import Table

_MANY = 100
"""Requests a client must have sent in a window for the burstiness of its gaps there to be measured."""


@dataclass(frozen=True)
class Fit:
    """Pairs are (by the files, generated). Distances are Kolmogorov-Smirnov's.

    window_error: mean of |generated - expected| over expected, of the requests of each window.
    cv: of the gaps of a client in a window, averaged over requests, where it sent at least 100.
    prompt_ks: None where prompts are text and images: the files do not tell the distribution of their sum.
    """

    requests: tuple[float, int]
    window_error: float
    top: tuple[float, float]
    top_ten: tuple[float, float]
    cv: tuple[float, float]
    prompt_ks: float | None
    output_ks: float
    mean_prompt: tuple[float, float]
    mean_output: tuple[float, float]

    @classmethod
    def of(cls, workload: Recorded) -> "Fit":
        """Draw a whole stretch and compare it; it stands in memory."""
        stretch, population = workload.stretch, workload.population
        drawn = _together(list(workload.drawn()))
        expected = _expected(workload)
        sent = _sent(workload, drawn)
        times = stretch.from_s, stretch.to_s
        prompt, output = (lengths(population, pick, *times) for pick in (lambda it: it.prompt, lambda it: it.output))
        with_media = any(
            block.media for client in population.clients if client.blocks for block in client.blocks.blocks
        )
        by_window, expected_by_window = sent.sum(axis=0), expected.sum(axis=0)
        return cls(
            requests=(float(expected.sum()), len(drawn)),
            window_error=float(np.abs(by_window - expected_by_window).sum() / expected_by_window.sum()),
            top=(_top(expected, 1), _top(sent, 1)),
            top_ten=(_top(expected, 10), _top(sent, 10)),
            cv=_burstiness(workload, drawn),
            prompt_ks=None if with_media else ks(drawn.prompt_tokens, prompt),
            output_ks=ks(drawn.output_tokens, output),
            mean_prompt=(mean_prompt(population, *times), float(drawn.prompt_tokens.mean())),
            mean_output=(output.mean, float(drawn.output_tokens.mean())),
        )

    def __str__(self) -> str:
        expected, came = self.requests
        prompt_ks = "(sum of fields)" if self.prompt_ks is None else f"{self.prompt_ks:.4f}"
        lines = [
            f"requests: {expected:,.0f} expected, {came:,} generated ({came / expected - 1:+.2%}), "
            f"by window {self.window_error:.1%} off on average",
            f"share of the largest client: {self.top[0]:.1%}, {self.top[1]:.1%}; "
            f"of the ten largest: {self.top_ten[0]:.1%}, {self.top_ten[1]:.1%}",
            f"gap CV: families {self.cv[0]:.2f}, generated {self.cv[1]:.2f}",
            f"KS: prompt {prompt_ks}, output {self.output_ks:.4f}",
            f"mean prompt: {self.mean_prompt[0]:,.1f}, {self.mean_prompt[1]:,.1f}; "
            f"mean output: {self.mean_output[0]:,.1f}, {self.mean_output[1]:,.1f}",
        ]
        return "\n".join(lines)


def ks(sample: Column, table: Table) -> float:
    """Return the largest distance between the distribution of a sample and that of a table.

    >>> ks(np.array([10, 10, 10, 20]), Table.of(np.array([10.0, 20.0]), np.array([0.5, 0.5])))
    0.25
    """
    at = np.union1d(sample, table.values)
    of_sample = np.searchsorted(np.sort(sample), at, side="right") / len(sample)
    of_table = np.concatenate(([0.0], table.below))[np.searchsorted(table.values, at, side="right")]
    return float(np.abs(of_sample - of_table).max())


def _together(pieces: list[Merged]) -> Merged:
    return Merged(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in Merged.__slots__))


def _expected(workload: Recorded) -> NDArray[np.float64]:
    """Return [clients, windows] requests expected in the stretch."""
    windows, stretch = workload.population.windows, workload.stretch
    starts_s = windows.start_s + windows.window_s * np.arange(len(windows.per_s))
    lasts_s = np.minimum(starts_s + windows.window_s, stretch.to_s) - np.maximum(starts_s, stretch.from_s)
    per_s = np.array([client.rates.per_s for client in workload.population.clients])
    expected: NDArray[np.float64] = per_s * (stretch.factor * lasts_s.clip(0))
    return expected


def _sent(workload: Recorded, drawn: Merged) -> Column:
    """Return [clients, windows] requests generated."""
    row, window = _places(workload, drawn)
    shape = len(workload.population.clients), len(workload.population.windows.per_s)
    return np.bincount(row * shape[1] + window, minlength=shape[0] * shape[1]).reshape(shape)


def _places(workload: Recorded, drawn: Merged) -> tuple[Column, Column]:
    """Return [n] row of the client and [n] window of each request."""
    population = workload.population
    numbers = np.array([client.number for client in population.clients])
    at_s = drawn.at_ps / PS_PER_S + workload.stretch.from_s - population.windows.start_s
    last = len(population.windows.per_s) - 1
    window = np.minimum((at_s // population.windows.window_s).astype(np.int64), last)
    return np.searchsorted(numbers, drawn.client), window


def _burstiness(workload: Recorded, drawn: Merged) -> tuple[float, float]:
    """Return the mean coefficient of variation of families and of generated gaps, weighed by requests."""
    row, window = _places(workload, drawn)
    order = np.lexsort((drawn.at_ps, window, row))
    key = (row * (window.max() + 1) + window)[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    found = []
    for first, end in zip(starts, [*starts[1:], len(key)], strict=True):
        if end - first >= _MANY:
            gaps = np.diff(drawn.at_ps[order[first:end]])
            client = workload.population.clients[int(row[order[first]])]
            family = client.rates.families[int(window[order[first]])]
            assert family is not None
            found.append((family.cv, gaps.std() / gaps.mean(), end - first))
    fitted, generated, weights = np.array(found).T
    return float(np.average(fitted, weights=weights)), float(np.average(generated, weights=weights))


def _top(requests: NDArray[np.float64] | Column, clients: int) -> float:
    """Return the share of the largest clients."""
    by_client = np.sort(requests.sum(axis=1))
    return float(by_client[-clients:].sum() / by_client.sum())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m traces.clients.fit", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--from-s", type=float)
    parser.add_argument("--for-s", type=float)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    try:
        workload = open_clients(asked.path, rate=asked.rate, from_s=asked.from_s, for_s=asked.for_s, seed=asked.seed)
        print(f"{workload.source}\n{Fit.of(workload)}")
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
