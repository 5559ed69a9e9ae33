"""Interval: from a profile's error on points left out to an interval on each latency, by replaying with wrong tables.

In each replication every cell of every table is off by an error drawn from those of points left out, of its own kind of
batch, less their mean: cells are wrong independently of each other, and the same one always by as much. The mean itself
comes of the point missing, about which the table then bends. What no point left out can show is not in it: kernels that
a server chooses and the profiler did not, and whatever lies between kernels.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from simcore.contract import PS_PER_S, CostModel, Shape
from simcore.cost.layers.held_out import DECODE, DENSE, HEADS, MIXED, PREFILL
from simcore.validation.latencies import percentiles
from simcore.validation.replay import replay
from simcore.validation.server_run import ServerRun

_CELLS = 1 << 16


class Perturbed:
    """`cost` with each term off by a factor that depends on where in its table it looks.

    relative: relative errors to draw from, by kind of batch, as `cost.layers.held_out.left_out` gives them.
    """

    def __init__(self, cost: CostModel, relative: Mapping[str, NDArray[np.float64]], seed: int) -> None:
        self.uses_longest = cost.uses_longest
        self._cost = cost
        draws = np.random.default_rng([seed, _CELLS])
        self._factors = {
            kind: 1 / (1 + draws.choice(errors - errors.mean(), _CELLS))
            for kind, errors in sorted(relative.items())
            if len(errors)
        }

    def line(self, shape: Shape) -> tuple[int, int, int]:
        seconds = 0.0
        for name, value in self._cost.terms(shape).items():
            seconds += value * self._factor(name, shape)
        return max(1, round(seconds * PS_PER_S)), 0, 1

    def terms(self, shape: Shape) -> dict[str, float]:
        return {name: value * self._factor(name, shape) for name, value in self._cost.terms(shape).items()}

    def describe(self) -> dict[str, object]:
        return {**self._cost.describe(), "perturbed": True}

    def _factor(self, name: str, shape: Shape) -> float:
        tokens = shape.decodes + sum(new for new, _ in shape.chunks)
        if name in ("matmuls", "elementwise"):
            return self._drawn(DENSE, (-(-tokens // 16),))
        if name == "head":
            return self._drawn(HEADS, ((shape.decodes + len(shape.chunks)).bit_length(),))
        if name != "attention":
            return 1.0
        mean = shape.context // shape.decodes if shape.decodes else 0
        new = sum(tokens for tokens, _ in shape.chunks)
        before = max((before for _, before in shape.chunks), default=0)
        kind = DECODE if not new else MIXED if shape.decodes else PREFILL
        return self._drawn(kind, tuple(_octave(x) for x in (new, before, shape.decodes, mean)))

    def _drawn(self, kind: str, cell: tuple[int, ...]) -> float:
        if kind not in self._factors:
            return 1.0
        key = 0
        for part in cell:
            key = (key * 1_000_003 + part + 1) % (1 << 61)
        return float(self._factors[kind][key % _CELLS])


def _octave(value: int) -> int:
    """Return which doubling a value lies in: the axes of a profile are made of them."""
    return int(value).bit_length()


def intervals(
    run: ServerRun,
    cost: CostModel,
    kv_blocks: int,
    relative: Mapping[str, NDArray[np.float64]],
    seeds: Sequence[int],
    share: float = 0.9,
) -> dict[str, tuple[float, float]]:
    """Return the bounds between which `share` of the replays' latencies lie, seconds, by statistic."""
    found = [percentiles(replay(run, Perturbed(cost, relative, seed), kv_blocks).latencies) for seed in seeds]
    tail = 50 * (1 - share)
    return {name: tuple(np.percentile([one[name] for one in found], (tail, 100 - tail)).tolist()) for name in found[0]}
