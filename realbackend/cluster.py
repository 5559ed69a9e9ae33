"""Cluster: a run whose iterations and copies really happen, in virtual time.

Everything that decides is the simulator's: arrivals, policies, queues, books, one iteration at a time, with the id of
every block. What it calls an iteration is computed here by an engine, what it calls a copy moves KV.
"""

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

from realbackend.completion import Completion, wait_for
from realbackend.host import HostBlocks
from realbackend.pace import Pace
from realbackend.texts import Texts
from realbackend.work import Engine, Work, work_of
from simcore.books.block_cache import BlockChain
from simcore.books.copies import Copy
from simcore.books.request import Request
from simcore.books.tiered import TieredLane
from simcore.contract import PS_PER_S, Shape, Workload
from simcore.simulator.clock import TIMERS, Alarm
from simcore.simulator.instance import SimInstance
from simcore.simulator.outage import go_down
from simcore.simulator.settings import Settings, Sink
from simcore.simulator.simulator import End, Simulator, slowed
from simcore.simulator.stepper import SimLane

FAULTS = (RuntimeError, MemoryError, OSError)
"""What an engine raises when it, or its device, cannot go on; anything else is a mistake of ours."""

Generated = dict[int, list[int]]
"""The tokens that each request generated, by request."""


class RealCluster(Simulator):
    """One run on engines.

    Args:
        make_engine: builds the engine of an instance, by its number.
        pace: how long iterations take.
        texts: what the prompts say.
        ends: tokens that end a text before its given length; none: every text has its length.
        late_copies: KV moves when its copy ends instead of when it begins, where both are allowed.
    """

    def __init__(
        self,
        settings: Settings,
        workload: Workload,
        sink: Sink,
        *,
        make_engine: Callable[[int], Engine],
        pace: Pace,
        texts: Texts,
        ends: Collection[int] = (),
        late_copies: bool = False,
    ) -> None:
        if settings.mechanisms.prefix_cache == "warm":
            raise ValueError("prefix_cache: must be cold on a real engine, which has computed nothing yet, got warm")
        self.engines: list[Engine] = []
        self.hosts: list[HostBlocks] = []
        self.texts = texts
        self.pace = pace
        self.generated: Generated = {}
        """What finished, as it was generated."""
        self.failures: list[str] = []
        """What made engines fail."""
        self._ends = frozenset(ends)
        self._make_engine = make_engine
        self._late_copies = late_copies
        super().__init__(replace(settings, per_iteration=True, block_ids=True), workload, sink)
        self.contents = True

    def add_instance(self) -> SimInstance:
        instance = super().add_instance()
        self.engines.append(self._make_engine(instance.id))
        self.hosts.append(HostBlocks(self.settings.mechanisms.host_blocks))
        for lane in instance.lanes:
            lane.line = self.line_of(lane, None)
        return instance

    def line_of(self, lane: SimLane, permille: int | None) -> Callable[[Shape], tuple[int, int, int]]:
        return partial(self._iteration, lane, permille)

    # -- iterations ------------------------------------------------------------------------------------------------

    def _iteration(self, lane: SimLane, permille: int | None, shape: Shape) -> tuple[int, int, int]:
        """Compute the iteration that `lane` has formed; return the line of its duration."""
        try:
            took_ps = self.pace.timed(shape, partial(self._compute, lane))
        except FAULTS as error:
            Alarm(self.clock, 0, partial(self._fails, lane.instance, error), TIMERS)
            return PS_PER_S, 0, 1  # a date that nobody waits for
        return took_ps if permille is None else slowed(took_ps, permille), 0, 1

    def _compute(self, lane: SimLane) -> None:
        work = work_of(lane, self.texts)
        self.note(lane, work, self.engines[lane.instance].run(work))

    def note(self, lane: SimLane, work: list[Work], tokens: list[int]) -> None:
        """Write down what an iteration generated, before its boundary."""
        gives = [each for each in work if each.gives]
        for each, token in zip(gives, tokens, strict=True):
            request, position = self.live[each.request], each.start + len(each.tokens)
            self.texts.add(request, position, token)
            if position < request.prompt + request.output - 1 and self.ends_text(request, position, token):
                lane.end_with(request, position - request.prompt + 1)

    def ends_text(self, request: Request, position: int, token: int) -> bool:
        """Return whether the text of a request ends with the token that came out for a position."""
        return token in self._ends

    def _fails(self, instance: int, error: BaseException, _: Alarm) -> None:
        self.failed(instance, error)

    def failed(self, instance: int, error: BaseException) -> None:
        """An engine failed: its instance is down, for good, with all that was on it. Raises what is our mistake."""
        if not isinstance(error, FAULTS):
            raise error
        cause = f"instance {instance} failed: {type(error).__name__}: {error}"
        self.failures.append(cause)
        print(f"simcore: {cause}", file=sys.stderr)
        if self.instances[instance].state != "down":
            go_down(self, self.instances[instance], "failed")

    # -- copies ----------------------------------------------------------------------------------------------------

    def copy(self, copy: Copy, src: End, dst: End, done: Callable[[], None]) -> None:
        source, target = (end if isinstance(end, int) else end.instance for end in (src, dst))
        move = self.mover(copy, source, target)
        lane = self.lanes[copy.request.lane or 0]
        if self._late_copies and not (isinstance(lane, TieredLane) and lane.sync and copy.kind != "fetch"):

            def moved() -> None:
                wait_for(move())
                self.moved(copy, target)
                done()

            super().copy(copy, src, dst, moved)
        else:
            wait_for(move())
            self.moved(copy, target)
            super().copy(copy, src, dst, done)

    def moved(self, copy: Copy, target: int) -> None:
        """Book what the bytes of a copy have left behind."""
        if copy.kind == "in":
            self.hosts[target].give_back(copy.request)

    def mover(self, copy: Copy, source: int, target: int) -> Callable[[], Completion | None]:
        """Return what has the bytes moved; which blocks they are is settled now, while the books say it."""
        request = copy.request
        engine, host = self.engines[target], self.hosts[target]
        if copy.kind == "out":
            kept = host.take(request, copy.blocks, self.instances[target].epoch)
            return partial(engine.copy_out, copy.ids[: copy.blocks], kept)
        if copy.kind == "in":
            kept = host.of(request)
            return partial(engine.copy_in, kept[len(kept) - copy.blocks :], copy.ids)
        theirs = self._handed(copy)
        return partial(engine.fetch, self.engines[source], theirs[len(theirs) - copy.blocks :], copy.ids)

    def _handed(self, copy: Copy) -> list[int]:
        """Return the blocks at the source of a request that was handed on."""
        assert isinstance(copy.source, TieredLane)
        kept = copy.source.outgoing[copy.request]
        assert isinstance(kept.chain, BlockChain)
        return kept.chain.ids[: kept.blocks]

    # -- ends --------------------------------------------------------------------------------------------------------

    def ended(
        self,
        lane: SimLane,
        firsts: list[Request] | None,
        finished: list[Request],
        now: int,
        handed: Sequence[Request] = (),
    ) -> None:
        for request in finished:
            self.generated[request.id] = self.texts.end(request)
        super().ended(lane, firsts, finished, now, handed)

    def close(self, request: Request, state: int) -> None:
        self.texts.end(request)
        super().close(request, state)
