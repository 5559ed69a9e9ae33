"""Work: what one iteration computes, request by request, read from the lane that has formed it."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

from realbackend.completion import Completion
from realbackend.texts import Texts
from simcore.books.lane import Lane
from simcore.books.pool import BlockTables
from simcore.books.request import Request
from simcore.books.tiered import TieredLane

AHEAD = -1
"""Stands for the token of a decode that came out of the engine's last iteration and that nobody has read yet."""


class Work(NamedTuple):
    """New tokens of one request: `tokens` stand at positions `start`, `start` + 1, …; `blocks` hold positions 0, 1, ….

    gives: a token comes out behind the last of them.
    """

    request: int
    start: int
    tokens: list[int]
    blocks: list[int]
    gives: bool


class Engine(Protocol):
    """What computes the iterations of one instance, over KV blocks of its own. Blocks are named by their ids.

    A copy goes on beside the iterations that do not touch its blocks; what it returns says when it has ended, None that
    it has. What is called later sees all that was called before.
    """

    def run(self, work: list[Work]) -> list[int]:
        """Compute an iteration: write the KV of all new tokens, return a token for each request that gives one."""

    def copy_out(self, blocks: list[int], host: list[int]) -> Completion | None:
        """Copy KV blocks to blocks of host memory."""

    def copy_in(self, host: list[int], blocks: list[int]) -> Completion | None:
        """Copy blocks of host memory to KV blocks."""

    def fetch(self, source: "Engine", theirs: list[int], blocks: list[int]) -> Completion | None:
        """Copy KV blocks of another engine to blocks here; the iterations that wrote them have ended."""


@runtime_checkable
class Partitioned(Protocol):
    """An engine that can be told on which share of its device to compute."""

    def keep_to(self, share_pct: int) -> None:
        """Have the iterations that are run from now on keep to so many percent of the multiprocessors."""


def work_of(lane: Lane, texts: Texts) -> list[Work]:
    """Return what the iteration that `lane` has just formed is to compute: its decodes, then its prefill chunks."""
    return [
        Work(request.id, start, texts.tokens(request, start, start + new), _blocks(lane, request, start + new), gives)
        for request, start, new, gives in _parts(lane)
    ]


def _parts(lane: Lane) -> Iterator[tuple[Request, int, int, bool]]:
    for request in lane.running:
        if request.ends >= 0:
            yield request, request.offset + lane.it, 1, True
    for request, new in lane.chunks:
        yield request, request.computed, new, request.computed + new == request.prompt + request.generated


def _blocks(lane: Lane, request: Request, tokens: int) -> list[int]:
    tables = lane.pool.tables
    if isinstance(lane, TieredLane):
        blocks = lane.store.ids(request)
    else:
        assert isinstance(tables, BlockTables), "an engine needs to know its blocks by their ids"
        blocks = tables.of[request.id]
    needed = lane.pool.blocks_for(tokens)
    assert len(blocks) >= needed, f"request {request.id} has {len(blocks)} blocks for {tokens} tokens"
    return blocks[:needed]
