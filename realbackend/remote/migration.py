"""Migration: one request moves to an engine in another process, in stages, while it decodes; both ends of it.

After each stage either end may call it off. The source keeps its blocks until the target has generated the next token,
so a request survives whatever happens there.
"""

import time
from contextlib import suppress
from typing import NamedTuple, TypeVar

from realbackend.completion import Completion
from realbackend.decoding import Decoding, take
from realbackend.remote.control import CalledOff, Commit, Control, GoesOn, Reserve, Reserved, Sent
from realbackend.remote.wire import Carried, Wire
from realbackend.staged import Refused, stages
from realbackend.torch_engine import TorchEngine

Answer = TypeVar("Answer", Reserved, GoesOn)


class Moved(NamedTuple):
    """What a migration was.

    stages: copies, the last one included. blocks: that they moved. decoded: tokens it generated here meanwhile.
    downtime_s: from its last token here, or from when it was asked to leave if it had but one stage, to the news of its
        first token there, by the clock here.
    """

    stages: int
    blocks: int
    decoded: int
    downtime_s: float


class RemoteWay:
    """`realbackend.staged.Way` of a request to the other end of a wire."""

    def __init__(self, request: Decoding, wire: Wire, control: Control) -> None:
        self._request, self._wire, self._control = request, wire, control
        self.copies: list[Carried] = []

    def reserve(self, blocks: int) -> None:
        self._control.give(Reserve(blocks))
        if not _answer(self._control, Reserved).there:
            raise Refused("no memory")

    def copy(self, first: int, until: int) -> Completion | None:
        if until == first:
            return None
        self._control.give(Sent(first, until))
        copy = self._request.engine.send(self._wire, self._request.blocks[first:until])
        self.copies.append(copy)
        return copy


def leave(request: Decoding, wire: Wire, control: Control, *, last_blocks: int = 1) -> Moved:
    """Move a request that has a token to the other end; it decodes on here while it can.

    Raises Refused if it stays: no room there, too slow, finished meanwhile, the engine there failed. Raises
    ConnectionError or TimeoutError if the other end is gone. Either way it has all its blocks and can go on here, and
    the target has begun at most one token of it.
    """
    if request.finished:
        raise Refused("finished")
    way = RemoteWay(request, wire, control)
    before, last_token = len(request.text), time.monotonic()
    try:
        for _ in stages(request, way, last_blocks=last_blocks):
            request.step()
            last_token = time.monotonic()
            if request.finished:
                raise Refused("finished")
    except Exception as error:  # whatever it is, the other end must not wait
        with suppress(OSError):
            control.give(CalledOff(str(error)))
        for copy in way.copies:
            copy.over.wait()
        raise
    control.give(Commit(request.text, request.until))
    _answer(control, GoesOn)
    downtime_s = time.monotonic() - last_token
    moved = request.blocks_for(request.computed)
    request.release()
    return Moved(len(way.copies), moved, len(request.text) - before, downtime_s)


def arrive(engine: TorchEngine, free: list[int], wire: Wire, control: Control) -> Decoding:
    """Take the next request from the other end; return it with its next token.

    free: ids of the engine's blocks that nobody has. Raises Refused if the source calls it off, ConnectionError or
    TimeoutError if it is gone; all blocks are free again then.
    """
    blocks: list[int] = []
    copies: list[Carried] = []
    try:
        while True:
            match control.take():
                case Reserve(needed):
                    there = needed - len(blocks) <= len(free)
                    blocks += take(free, needed - len(blocks)) if there else []
                    control.give(Reserved(there))
                case Sent(first, until):
                    copies.append(engine.receive(wire, blocks[first:until]))
                case CalledOff(why):
                    raise Refused(why)
                case Commit(text, until):
                    for copy in copies:
                        copy.wait()
                    request = Decoding(engine, free, text, until, blocks)
                    request.step()
                    control.give(GoesOn())
                    return request
                case other:
                    raise AssertionError(other)
    except (Refused, OSError, RuntimeError, MemoryError) as error:
        if not isinstance(error, Refused):
            with suppress(OSError):
                control.give(CalledOff(f"{type(error).__name__}: {error}"))
        for copy in copies:
            copy.over.wait()
        free += blocks
        raise


def _answer(control: Control, kind: type[Answer]) -> Answer:
    """Return what the other end answers. Raises Refused if that has failed there."""
    answer = control.take()
    if isinstance(answer, CalledOff):
        raise Refused(answer.why)
    assert isinstance(answer, kind), answer
    return answer
