"""Step (5) of a boundary, plainly: who joins, who yields, who is admitted."""

from functools import partial
from typing import Any

from simcore.contract import decisions as log
from simcore.contract import overrides
from tests.property.cluster.copies import Copy
from tests.property.cluster.requests import PAUSED, RUNNING, PlainRequest


class Forming:
    """What `Lane` does to form an iteration. It fills `plan`: (request, tokens) in the order blocks are taken."""

    cluster: Any
    instance: Any
    scheduler: Any
    view: Any
    running: list[PlainRequest]
    waiting: list[PlainRequest]
    copying: dict[PlainRequest, Copy]
    plan: list[tuple[PlainRequest, int]]

    def form(self: Any) -> None:
        """Form the next iteration; what is to be told of it is told `later`, when the boundary is over."""
        self.plan, self.later, self.yielded = [], [], False
        self.join()
        budget = self.make_room()
        if budget is None:
            self.plan, self.stalled = [], True
            return
        pool = self.instance.pool
        for request, tokens in self.plan:
            (pool.prefill if request.prefilling else pool.grow)(request, request.computed + tokens)
        stalled, self.stalled = self.stalled, False
        self.barred = self.yielded or stalled
        if self.barred:
            return
        self.unblock()
        if not self.refused:
            self.admit_in_order(budget)
        if not self.running:
            for request in self.waiting:
                request.seen_from = 0
            if not self.refused:
                self.admit_in_order(budget)

    def note(self: Any, kind: int, request: PlainRequest, detail: int) -> None:
        self.later.append(partial(self.cluster.write, self.instance.id, kind, request.id, detail))

    def join(self: Any) -> None:
        for request in self.come:
            request.state = RUNNING
            self.running.append(request)
            self.note(log.JOINED, request, request.computed)
        self.come = []

    def unblock(self: Any) -> None:
        """Nothing moves: who waits in a decode lane with blocks yields to the head of its queue, the last first."""
        instance, pool = self.instance, self.instance.pool
        may_hold = instance.host.keep if len(instance.lanes) == 1 else self.position == 1
        if not may_hold or self.running or not self.waiting or not instance.is_stuck:
            return
        while True:
            head = self.waiting[0]
            hits = [] if head.held else pool.hits(head)
            _, need = self.need(head, hits, 1)
            holders = [request for request in self.waiting if request.held]
            if need <= pool.free or not holders:
                return
            self.drop_waiting(holders[-1])
            self.later.append(partial(self.tell_evicted, holders[-1], log.PREEMPTED))
            if not self.waiting:
                return

    def make_room(self: Any) -> int | None:
        """Preempt until the blocks of all who run fit; return the budget left, None if the lane stalls."""
        pool = self.instance.pool
        while True:
            budget: int = self.scheduler.max_num_batched_tokens
            self.plan = [(request, 1) for request in self.running if not request.prefilling]
            budget -= len(self.plan)
            for request in self.running:
                if request.prefilling:
                    tokens = min(request.target - request.computed, budget)
                    budget -= tokens
                    self.plan.append((request, tokens))
            need = sum(pool.blocks(r.computed + tokens) - len(r.held) for r, tokens in self.plan)
            if need <= pool.free:
                return budget
            if need <= pool.free + sum(len(copy.held) for copy in self.outgoing):
                return None
            chosen = self.scheduler.victim(self.view) if overrides(self.scheduler, "victim") else None
            victim = self.running[-1] if chosen is None else self.cluster.live[chosen]
            assert victim in self.running
            self.yielded = True
            kind = self.evict(victim, self.choose_spill(victim), self.note)
            self.later.append(partial(self.tell_evicted, victim, kind))

    def choose_spill(self: Any, victim: PlainRequest) -> str:
        answer = None
        if overrides(self.scheduler, "spill"):
            answer = self.scheduler.spill(self.view, self.cluster.views.request(victim))
        if answer is None:
            answer = "swap" if self.cluster.mechanisms.preemption == "swap" else "drop"
        return str(answer)

    # -- the queue ------------------------------------------------------------------------------------------------

    def admit_in_order(self: Any, budget: int) -> None:
        declined = False
        asks = overrides(self.scheduler, "admit")
        for request in list(self.waiting):
            if request.seen_from > self.boundaries:
                continue
            if budget <= 0 or len(self.running) + len(self.copying) >= self.scheduler.max_num_seqs:
                return
            if any(copy.kind == "out" and not copy.waited for copy in request.copies):
                break
            hits = [] if request.held else self.instance.pool.hits(request)
            tokens, need = self.need(request, hits, budget)
            if need > self.instance.pool.free:
                break
            answer = self.scheduler.admit(self.view, self.cluster.views.request(request)) if asks else "yes"
            if answer != "yes":
                declined = True
                if answer == "hold":
                    break
                continue
            self.waiting.remove(request)
            self.start(request, hits, tokens)
            if request.state == RUNNING:
                budget -= tokens
        self.refused = declined

    def need(self: Any, request: PlainRequest, hits: list[Any], budget: int) -> tuple[int, int]:
        """Its tokens in this iteration, and the free blocks it needs."""
        pool = self.instance.pool
        if request.ready:
            return 1, pool.blocks(request.computed + 1) - len(request.held) - sum(block.holds > 0 for block in hits)
        copied = 0 if request.held else self.instance.host.prefix(request)
        before = request.computed if request.held else copied or len(hits) * pool.size
        tokens = min(request.target - before, budget)
        whole = self.scheduler.reserve_full_prompt or self.whole_only
        covered = request.target if whole else before + tokens
        there = pool.beginning(request, covered // pool.size if pool.cached else 0)
        need = pool.blocks(covered) - len(request.held) - sum(block.holds > 0 for block in there)
        return tokens, need

    def start(self: Any, request: PlainRequest, hits: list[Any], tokens: int) -> None:
        """It leaves the queue: to run in this iteration, or to have its KV copied."""
        pool, now, ready = self.instance.pool, self.cluster.now, request.ready
        for block in hits:
            pool.hold(block)
            request.held.append(block)
        copied = 0 if ready or request.held else self.instance.host.prefix(request)
        if copied and not self.waits_for_copy():
            self.copy_prefix(request, copied, waited=False)
            self.instance.next_turn_runs(self, request)
            return
        if request.scheduled < 0:
            request.scheduled = now
            request.cached = len(hits) * pool.size
            self.cluster.counters["prefix_hit_tokens"] += request.cached
            self.cluster.counters["prefix_query_tokens"] += request.target if pool.cached else 0
        if not ready:
            request.prefilling = True
            before = request.computed if request.held and not hits else copied or len(hits) * pool.size
            request.computed = before
            pool.prefill(request, request.computed + tokens)
            if copied:
                self.copy_prefix(request, copied, waited=True)
            self.note(log.ADMITTED, request, tokens)
            self.run_now(request, tokens)
        elif request.elsewhere:
            self.fetch(request, len(hits))
        else:
            pool.grow(request, request.computed + 1)
            self.note(log.JOINED, request, request.computed)
            self.run_now(request, 1)
        self.instance.next_turn_runs(self, request)

    def fetch(self: Any, request: PlainRequest, hits: int) -> None:
        """Its KV is on the host or on another instance."""
        pool = self.instance.pool
        kind = "in" if request.kept is None else "hand"
        waited = kind == "in" and self.waits_for_copy()
        count = pool.blocks(request.computed) - hits
        copy = Copy(kind, request, self, count, waited)
        request.copies.append(copy)
        request.elsewhere = False
        self.starting.append(copy)
        self.note(log.FETCH, request, count)
        if kind == "in":
            self.reads_host(copy, hits)
        if waited:
            self.instance.host.release(request)
            self.waits_for.append(copy)
            pool.grow(request, request.computed + 1)
            copy.here = request.held[hits : hits + count]
            self.note(log.JOINED, request, request.computed)
            self.run_now(request, 1)
        else:
            pool.grow(request, request.computed)
            copy.here = request.held[hits : hits + count]
            request.state = PAUSED
            self.copying[request] = copy

    def waits_for_copy(self: Any) -> bool:
        """The iteration being formed would wait for a copy from the host."""
        how = self.cluster.mechanisms.swap
        if how == "adaptive":
            return not self.running or len(self.copying) + 1 > len(self.running)
        return bool(how == "sync")

    def reads_host(self: Any, copy: Copy, first: int) -> None:
        host = self.instance.host
        copy.there = host.numbers(copy.request, first, first + copy.count)
        host.use(copy.request)
        self.cluster.counters["swap_in_blocks"] += copy.count

    def copy_prefix(self: Any, request: PlainRequest, tokens: int, waited: bool) -> None:
        """The beginning of a prompt comes from the host."""
        pool, host = self.instance.pool, self.instance.host
        copy = Copy("in", request, self, tokens // pool.size, waited)
        request.copies.append(copy)
        self.starting.append(copy)
        self.note(log.FETCH, request, copy.count)
        self.reads_host(copy, 0)
        self.cluster.counters["host_prefix_tokens"] += tokens
        if waited:
            self.waits_for.append(copy)
        else:
            request.computed = tokens
            pool.grow(request, tokens)
            host.of(request).needed = True
            request.state = PAUSED
            self.copying[request] = copy
        copy.here = request.held[: copy.count]

    def run_now(self: Any, request: PlainRequest, tokens: int) -> None:
        request.state = RUNNING
        self.running.append(request)
        self.plan.append((request, tokens))
