"""Whole batches: each rule that a batch can break."""

from typing import Any

import pytest

from simcore.contract import Batch, IllegalAction
from tests.simulator.harness import run, scheduler


@pytest.mark.parametrize(
    ("batch", "rule"),
    [
        (Batch((), [(0, 4), (0, 4)]), "twice"),
        (Batch((), [(0, 40), (1, 40)]), r"at most max_num_batched_tokens \(64\) tokens, got 80"),
        (Batch((), [(0, 8), (1, 8), (2, 8)]), r"at most max_num_seqs \(2\) may run, got 3"),
        (Batch((), [(0, 40), (1, 24)]), "needs 16 KV blocks, 11 are free"),
        (Batch((), [(2, 9)]), "has 8 tokens to prefill, got 9"),
        (Batch((), [(2, 0)]), "has 8 tokens to prefill, got 0"),
        (Batch([0], ()), "is not decoding, put under decodes"),
        (Batch((), [(9, 1)]), "neither waiting nor running"),
    ],
)
def test_a_batch_that_breaks_a_rule_says_which(batch, rule):
    local = scheduler(batch=lambda s, v: batch)
    limits: dict[str, Any] = {"max_num_batched_tokens": 64, "max_num_seqs": 2}
    rows = [(0, 40, 2), (0, 40, 2), (0, 8, 2)]
    with pytest.raises(IllegalAction, match=rule):
        run(rows, kv_blocks=11, block_tokens=4, make_scheduler=lambda: local(**limits))


def test_a_decode_put_under_prefills_is_illegal():
    local = scheduler(batch=lambda s, v: Batch((), [(0, 8 if v.iteration == 0 else 1)]))
    with pytest.raises(IllegalAction, match="is decoding, put under prefills"):
        run([(0, 8, 3)], make_scheduler=local)


def test_a_batch_holds_requests_of_its_own_instance():
    local = scheduler(batch=lambda s, v: Batch((), [(0, 8)]))
    with pytest.raises(IllegalAction, match="neither waiting nor running on instance 1"):
        run([(0, 8, 3), (0, 8, 3)], instances=2, make_scheduler=local)
