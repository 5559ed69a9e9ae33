"""Books under fire: whatever legal things happen in whatever order, blocks, requests and tokens are conserved."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from policies.vllm_v1 import VllmV1
from simcore.books.lane import Lane
from simcore.books.pool import KvPool
from simcore.books.queues import Ordered
from simcore.books.request import FINISHED, RUNNING, WAITING, Request


class BooksUnderFire(RuleBasedStateMachine):
    """One lane, driven by hand. Between rules the lane stands at a boundary."""

    @initialize(
        blocks=st.integers(4, 60),
        size=st.sampled_from([1, 4, 16]),
        budget=st.integers(2, 80),
        seqs=st.integers(1, 8),
        reserve=st.booleans(),
        ordered=st.booleans(),
    )
    def build(self, blocks, size, budget, seqs, reserve, ordered):
        pool = KvPool(blocks, size, identities=True)
        limits = VllmV1(max_num_batched_tokens=max(budget, seqs), max_num_seqs=seqs, reserve_full_prompt=reserve)
        queue = Ordered(lambda request: request.prompt) if ordered else None
        self.lane = Lane(0, pool, limits, queue)
        self.requests: list[Request] = []
        self.gone: list[Request] = []
        self.now = 0
        self.tokens_out = 0

    @rule(prompt=st.integers(1, 120), output=st.integers(1, 60))
    def arrive(self, prompt, output):
        pool = self.lane.pool
        most = pool.total * pool.block_tokens
        prompt = min(prompt, most)
        output = min(output, most - prompt + 1)
        request = Request(len(self.requests), self.now, prompt, output)
        self.requests.append(request)
        self.lane.enqueue(request)

    @rule(share=st.floats(0, 1))
    def iterate(self, share):
        lane = self.lane
        if not lane.schedule(self.now):
            return
        k = max(1, int(lane.horizon(lane.pool.free) * share))
        free = lane.free_after(k - 1)
        self.now += k
        firsts: list[Request] = []
        finished = lane.settle(k, self.now, firsts, [])
        assert lane.pool.free >= free, "free blocks at the last boundary are those foreseen, plus those given back"
        assert all(request.generated == request.output for request in finished)

    @precondition(lambda self: bool(self.lane.running))
    @rule(data=st.data())
    def preempt(self, data):
        request = data.draw(st.sampled_from(sorted(self.lane.running, key=lambda r: r.id)))
        generated = self.lane.generated_after(request, 0)
        self.lane.preempt(request, self.now)
        assert request.generated == generated, "tokens survive a preemption"

    @precondition(lambda self: bool(self.lane.running))
    @rule(data=st.data())
    def abort(self, data):
        request = data.draw(st.sampled_from(sorted(self.lane.running, key=lambda r: r.id)))
        self.lane.abort(request, self.now)
        self.gone.append(request)

    @precondition(lambda self: len(self.lane.waiting) > 0)
    @rule(data=st.data())
    def withdraw(self, data):
        request = data.draw(st.sampled_from(sorted(self.lane.waiting, key=lambda r: r.id)))
        self.lane.withdraw(request)
        self.gone.append(request)

    @invariant()
    def books_balance(self):
        if hasattr(self, "lane"):
            self.lane.check()

    @invariant()
    def every_request_is_in_one_place(self):
        if not hasattr(self, "lane"):
            return
        waiting, running = list(self.lane.waiting), list(self.lane.running)
        finished = [r for r in self.requests if r.state == FINISHED]
        places = [r.id for r in [*waiting, *running, *finished, *self.gone]]
        assert sorted(places) == [r.id for r in self.requests]
        assert all(r.state == WAITING for r in waiting)
        assert all(r.state == RUNNING for r in running)
        assert self.lane.waiting_blocks == sum(self.lane.pool.blocks_for(r.prompt + r.generated) for r in waiting)

    def teardown(self):
        """Left alone, the lane serves everybody and ends empty."""
        if not hasattr(self, "lane"):
            return
        for _ in range(100_000):
            if not self.lane.schedule(self.now) and not self.lane.waiting:
                break
            self.now += 1
            self.lane.settle(self.lane.horizon(self.lane.pool.free) if self.lane.running else 1, self.now, None, [])
        assert self.lane.pool.free == self.lane.pool.total
        assert all(r.generated == r.output for r in self.requests if r not in self.gone)


TestBooksUnderFire = BooksUnderFire.TestCase
TestBooksUnderFire.settings = settings(
    max_examples=120, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
