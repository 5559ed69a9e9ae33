"""Classes: whose requests they are. Any traffic, its requests shared out among classes with priorities."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from simcore.contract.traffic import Arrivals
from traces.draws import BLOCK, blocks
from traces.parameters import Parameters, raise_if_any
from traces.replay import Replay
from traces.synthetic import Synthetic


@dataclass(frozen=True)
class RequestClass:
    """share: of the requests, relative to the other classes, > 0. priority: lower is more urgent."""

    name: str
    share: float
    priority: int


def request_classes(given: Mapping[str, object]) -> tuple[RequestClass, ...]:
    """Read `{name: {share, priority}}`, in the order given; priority is 0 if left out.

    Raises ParameterError with all that is wrong.
    """
    problems: list[str] = []
    found = []
    for name, values in given.items():
        parameters = Parameters(f"classes.{name}", values, problems)
        found.append(
            RequestClass(name, parameters.positive("share"), parameters.integer("priority", least=0, default=0))
        )
        parameters.finish()
    if not given:
        problems.append("classes: must name at least one class")
    raise_if_any(problems)
    return tuple(found)


class Classified:
    """A workload with classes: request i's class depends on (seed, replication, i) and the shares alone."""

    def __init__(
        self, workload: Replay | Synthetic, classes: tuple[RequestClass, ...], seed: int, replication: int
    ) -> None:
        self._workload = workload
        self._seed = seed
        self._replication = replication
        self.name = workload.name
        self.source = workload.source
        self.rate = workload.rate
        self.requests = workload.requests
        self.classes = tuple(each.name for each in classes)
        self.priorities = tuple(each.priority for each in classes)
        total = sum(each.share for each in classes)
        self._edges = np.array(list(accumulate(each.share / total for each in classes)))[:-1]

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the requests of the workload, each with its class."""
        draws = np.empty(0)
        generators = blocks(self._seed, self._replication, "class")
        for piece in self._workload.pieces():
            while len(draws) < len(piece):
                draws = np.concatenate([draws, next(generators).random(BLOCK)])
            mine, draws = draws[: len(piece)], draws[len(piece) :]
            yield replace(piece, request_class=np.searchsorted(self._edges, mine, side="right").astype(np.int64))
