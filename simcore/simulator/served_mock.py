"""Served mock: a simulated cluster at the pace of real time that answers calls when it would, with placeholders."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from simcore.books.request import Request
from simcore.contract import Shape
from simcore.simulator.calls import News
from simcore.simulator.clock import Alarm
from simcore.simulator.instance import SimInstance
from simcore.simulator.mock import Mock
from simcore.simulator.served import OUTSIDE, Served
from simcore.simulator.settings import Settings, Sink
from simcore.simulator.stepper import SimLane

_BEFORE_BOUNDARY = 0.5
"""Tokens of an iteration are there before its boundary is; in between stands no other lane's."""


class ServedMock(Served, Mock):
    """A simulated cluster at the pace of real time, open to calls: its tokens come when they would, and say nothing.

    Args:
        placeholder: the token that stands for all others.
    """

    def __init__(self, settings: Settings, sink: Sink, *, placeholder: int = 0) -> None:
        self._placeholder = placeholder
        super().__init__(replace(settings, per_iteration=True), OUTSIDE, sink)

    def add_instance(self) -> SimInstance:
        instance = super().add_instance()
        for lane in instance.lanes:
            lane.line = self.line_of(lane, None)
        return instance

    def line_of(self, lane: SimLane, permille: int | None) -> Callable[[Shape], tuple[int, int, int]]:
        return partial(self._iteration, lane, super().line_of(lane, permille))

    def _iteration(
        self, lane: SimLane, line: Callable[[Shape], tuple[int, int, int]], shape: Shape
    ) -> tuple[int, int, int]:
        first, increment, exact = line(shape)
        given = partial(self._given, lane, self.instances[lane.instance].epoch, _giving(lane))
        Alarm(self.clock, first, given, lane.priority - _BEFORE_BOUNDARY)
        return first, increment, exact

    def _given(self, lane: SimLane, epoch: int, giving: list[tuple[Request, int]], _: Alarm) -> None:
        if self.instances[lane.instance].epoch != epoch:
            return  # it went down meanwhile
        news: list[News] = []
        for request, index in giving:
            self.gave(request, index, self._placeholder, news)
        self.tell(news)


def _giving(lane: SimLane) -> list[tuple[Request, int]]:
    """Return whom the iteration that `lane` has formed gives a token, and which of theirs it is."""
    decodes = [
        (request, request.offset + lane.it + 1 - request.prompt) for request in lane.running if request.ends >= 0
    ]
    return decodes + [
        (request, request.generated)
        for request, new in lane.chunks
        if request.computed + new == request.prompt + request.generated
    ]
