"""Tiered prefix: how a lane uses what the host has of a prompt that is to be computed."""

from simcore.books.copies import Copy
from simcore.books.request import NEVER, PAUSED, RUNNING, Request
from simcore.books.store import HERE
from simcore.books.tiered_leaving import TieredLeaving
from simcore.contract import decisions as log


class TieredPrefix(TieredLeaving):
    """Copies the beginning of a prompt in, and has the rest computed behind it."""

    @property
    def waits_for_copy(self) -> bool:
        """Whether the iteration being formed would wait for a copy from the host that is asked for now."""
        if not self.adaptive:
            return self.sync
        return not self.running or len(self.arriving) + 1 > len(self.running)

    def _use_copy(self, request: Request, copied: int, new: int, now: int) -> None:
        """Have the first `copied` tokens of a prompt copied in; compute `new` behind them, at once or later."""
        held, store, at_once = request.held, self.store, self.waits_for_copy
        assert held is not None
        held.cached = max(held.cached, 0)
        request.computed = copied
        blocks = copied // self.block_tokens
        self._grow(request, copied + (new if at_once else 0))
        copy = Copy("in", request, blocks)
        copy.ids = store.ids(request)[:blocks]
        copy.host_ids = store.host.ids_of(request, 0, blocks)
        copy.at_once = at_once
        self.copies.append(copy)
        self.notes.append((log.FETCH, request, blocks))
        self.counts["swap_ins"] += 1
        self.counts["swapped_blocks"] += blocks
        self.counts["swap_in_blocks"] += blocks
        self.counts["host_prefix_tokens"] += copied
        if at_once:
            store.host.use(request)
            self._prefill(request, new, now)
        else:
            store.host.need(request)
            held.where = HERE
            self._await(request)

    def _rest(self, request: Request, budget: int) -> int | None:
        """Return the tokens that a request whose beginning is here would compute now; None: it does not fit."""
        target = request.prompt + request.generated
        new = min(target - request.computed, budget)
        covered = target if self.reserve_full_prompt or self.whole_only else request.computed + new
        return new if self.pool.blocks_for(covered) - request.blocks <= self.pool.free else None

    def _prefill(self, request: Request, new: int, now: int) -> None:
        """Compute `new` tokens behind those that stand, in the iteration being formed."""
        self._run(request)
        if request.scheduled_ps == NEVER:
            request.scheduled_ps = now
        self.chunks.append((request, new))
        self.notes.append((log.ADMITTED, request, new))
        self.shape.chunks.append((new, request.computed))
        if request.computed + new < request.prompt + request.generated:
            self.partial = request

    def _await(self, request: Request) -> None:
        """Let a request stand aside until its KV has come."""
        held = request.held
        assert held is not None
        held.copies += 1
        request.state = PAUSED
        self.arriving[request] = None
        self.store.reserved += request.blocks

    def _run(self, request: Request) -> None:
        self.seq += 1
        request.seq = self.seq
        request.state = RUNNING
        self.running[request] = None


def decodes(request: Request) -> bool:
    """Return whether a request that does not run has all KV it needs for its next token."""
    return request.generated > 0 and request.computed == request.prompt + request.generated - 1
