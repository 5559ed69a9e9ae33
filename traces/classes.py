"""Classes: whose requests they are. Any traffic, shared out among classes with priorities and patience."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from simcore.contract.traffic import Arrivals, Column, Patience
from simcore.contract.units import PS_PER_S
from traces.draws import BLOCK, Tape, blocks
from traces.durations import MAX_S, picoseconds
from traces.opened import Opened
from traces.parameters import Parameters, raise_if_any
from traces.pieces import begins

PRIORITY_MAX = 1000


@dataclass(frozen=True)
class RequestClass:
    """share: of the programs, and requests that are of none, relative to the other classes, > 0.

    priority: lower is more urgent. cancel_share: of its requests, given up an exponential time of mean cancel_after_s
    after they arrived, if they still run then.
    """

    name: str
    share: float
    priority: int = 0
    patience: Patience = field(default_factory=Patience)
    cancel_share: float = 0.0
    cancel_after_s: float = 0.0


def request_classes(
    given: Mapping[str, object], *, ttft_timeout_s: float | None = None, timeout_s: float | None = None
) -> tuple[RequestClass, ...]:
    """Read `{name: {share, priority, ttft_timeout_s, timeout_s, cancel_share, cancel_after_s}}`, in the order given.

    All but the share may be left out; `ttft_timeout_s` and `timeout_s` are for the classes without their own.
    Raises ParameterError with all that is wrong.
    """
    problems: list[str] = []
    found = []
    common = Parameters("", {"ttft_timeout_s": ttft_timeout_s, "timeout_s": timeout_s}, problems)
    patience = _patience(common, Patience())
    for name, values in given.items():
        parameters = Parameters(f"classes.{name}", values, problems)
        found.append(
            RequestClass(
                name,
                parameters.positive("share"),
                parameters.integer("priority", least=-PRIORITY_MAX, most=PRIORITY_MAX, default=0),
                _patience(parameters, patience),
                *_cancelling(parameters),
            )
        )
        parameters.finish()
    if not given:
        problems.append("classes: must name at least one class")
    raise_if_any(problems)
    return tuple(found)


class Classified:
    """A workload with classes: a request's class depends on (seed, replication, its number) and the shares alone.

    All turns of a program are of one class, and the number is the program's among programs and single requests.
    """

    def __init__(self, workload: Opened, classes: tuple[RequestClass, ...], seed: int, replication: int) -> None:
        self._workload = workload
        self._seed = seed
        self._replication = replication
        self.name = workload.name
        self.source = workload.source
        self.rate = workload.rate
        self.requests = workload.requests
        self.lasts_s = workload.lasts_s
        self.tools = workload.tools
        self.classes = tuple(each.name for each in classes)
        self.priorities = tuple(each.priority for each in classes)
        limits = tuple(each.patience for each in classes)
        self.patience = limits if any(each != Patience() for each in limits) else ()
        total = sum(each.share for each in classes)
        self._edges = np.array(list(accumulate(each.share / total for each in classes)))[:-1]
        self._cancel_share = np.array([each.cancel_share for each in classes])
        self._cancel_after_s = np.array([each.cancel_after_s for each in classes])

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the requests of the workload, each with its class and, if it will be given up, when."""
        seeds = self._seed, self._replication
        chosen = Tape(each.random(BLOCK) for each in blocks(*seeds, "class"))
        cancelling = Tape(map(_cancel_draws, blocks(*seeds, "cancel")))
        for piece in self._workload.pieces():
            alone = begins(piece)
            mine = np.searchsorted(self._edges, chosen.take(int(alone.sum())), side="right").astype(np.int64)
            request_class = mine[np.cumsum(alone) - 1]
            cancel_ps = piece.cancel_ps
            if self._cancel_share.any():
                cancel_ps = self._given_up(request_class, cancelling.take(len(piece)), cancel_ps)
            yield replace(piece, request_class=request_class, cancel_ps=cancel_ps)

    def _given_up(self, request_class: Column, drawn: NDArray[np.float64], already: Column | None) -> Column:
        """Return [n] picoseconds until a request is given up, -1: never; the earlier date if it had one already."""
        uniform, exponential = drawn.T
        after_ps = picoseconds(exponential * self._cancel_after_s[request_class])
        mine = np.where(uniform < self._cancel_share[request_class], after_ps, -1)
        if already is None:
            return mine
        return np.where((mine < 0) | (already < 0), np.maximum(mine, already), np.minimum(mine, already))


def _cancel_draws(generator: np.random.Generator) -> NDArray[np.float64]:
    return np.stack([generator.random(BLOCK), generator.standard_exponential(BLOCK)], axis=1)


def _patience(parameters: Parameters, common: Patience) -> Patience:
    first_token_ps, end_ps = common.first_token_ps, common.end_ps
    if parameters.has("ttft_timeout_s"):
        first_token_ps = round(parameters.positive("ttft_timeout_s", most=MAX_S) * PS_PER_S)
    if parameters.has("timeout_s"):
        end_ps = round(parameters.positive("timeout_s", most=MAX_S) * PS_PER_S)
    return Patience(first_token_ps, end_ps)


def _cancelling(parameters: Parameters) -> tuple[float, float]:
    """Take `cancel_share` and `cancel_after_s`, both or neither."""
    share, after = parameters.has("cancel_share"), parameters.has("cancel_after_s")
    if not share and not after:
        return 0.0, 0.0
    if share != after:
        missing, given = ("cancel_after_s", "cancel_share") if share else ("cancel_share", "cancel_after_s")
        parameters.add(missing, f"must be given with {given}, got nothing")
    return (
        parameters.number("cancel_share", least=0, most=1, default=0.0),
        parameters.positive("cancel_after_s", most=MAX_S) if after else 0.0,
    )
