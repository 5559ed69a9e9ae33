"""Steps: block ids, cuts and shapes are the same however a step is split."""

from typing import Any

from policies.vllm_v1 import VllmV1
from simcore.books.lane import Lane
from simcore.books.pool import BlockTables, KvPool
from simcore.books.request import Request
from tests.property.draw import Flat
from tests.simulator.harness import STEP, run


def test_block_ids_are_the_same_however_a_step_is_split():
    def tables(split):
        pool = KvPool(40, 4, identities=True)
        lane = Lane(0, pool, VllmV1(max_num_batched_tokens=64, max_num_seqs=4))
        for number, prompt in enumerate((7, 4, 6)):
            lane.enqueue(Request(number, 0, prompt, 30))
        lane.schedule(0)
        lane.settle(1, 1, None, [])
        for k in split:
            lane.schedule(0)
            lane.settle(k, 1, None, [])
        assert isinstance(pool.tables, BlockTables)
        return pool.tables.of

    assert tables([12]) == tables([1] * 12) == tables([5, 7])


def test_an_arrival_cuts_no_step_in_which_it_could_not_start():
    chunks = run(
        [(0, 320, 2), (int(2.5 * STEP), 8, 2)],
        make_scheduler=lambda: VllmV1(max_num_batched_tokens=32, max_num_seqs=4),
    )
    full = run([(0, 8, 40), (int(2.5 * STEP), 8, 2)], make_scheduler=lambda: VllmV1(max_num_seqs=1))
    assert chunks["outcome"].cuts == full["outcome"].cuts == 0


def test_a_cost_model_sees_each_chunk_with_the_context_before_it():
    seen = []

    class Noted(Flat):
        def line(self, shape):
            seen.append((shape.decodes, shape.context, list(shape.chunks)))
            return self.step, 0, 1

    limits: dict[str, Any] = {"max_num_batched_tokens": 32, "max_num_seqs": 4}
    run([(0, 70, 3)], cost=Noted(STEP, 0, 0, 0), make_scheduler=lambda: VllmV1(**limits))
    assert seen == [
        (0, 0, [(32, 0)]),
        (0, 0, [(32, 32)]),
        (0, 0, [(6, 64)]),
        (1, 71, []),
        (1, 72, []),
    ]
