"""Prefill first: prompts alone, decodes alone, and who yields when KV runs out. Blocks have 10 tokens."""

import pytest

from policies.prefill_first import PrefillFirst
from simcore.contract import Batch
from tests.policies.views import Ask, Lane


def prompt(id, tokens):
    return Ask(id, tokens, state="waiting")


def decode(id, tokens, blocks=None):
    """A request whose next token is number `tokens` of its context."""
    held = -(-(tokens - 1) // 10) if blocks is None else blocks
    return Ask(id, tokens - 1, output_tokens=1, computed_tokens=tokens - 1, kv_blocks=held, state="running")


def policy(tokens=100, seqs=10, watermark=0.0):
    return PrefillFirst(max_num_batched_tokens=tokens, max_num_seqs=seqs, watermark=watermark)


def test_prompts_go_alone_and_decodes_sit_out():
    lane = Lane(decode(0, 25), decode(1, 38), prompt(2, 30), prompt(3, 40), free_blocks=50)
    assert policy().batch(lane) == Batch((), [(2, 30), (3, 40)])


def test_without_prompts_all_decodes_go():
    assert policy().batch(Lane(decode(0, 25), decode(1, 31), free_blocks=50)) == Batch([0, 1], (), [])


def test_prompts_are_taken_whole_in_order_up_to_the_token_budget():
    lane = Lane(prompt(0, 60), prompt(1, 50), prompt(2, 10), free_blocks=50)
    assert policy().batch(lane) == Batch((), [(0, 60)]), "the third does not overtake the second"
    assert policy(tokens=110).batch(lane) == Batch((), [(0, 60), (1, 50)])


def test_no_more_requests_run_than_may():
    lane = Lane(decode(0, 25), prompt(1, 10), prompt(2, 10), free_blocks=50)
    assert policy(seqs=2).batch(lane) == Batch((), [(1, 10)])
    assert policy(seqs=1).batch(lane) == Batch([0], (), [])


def test_a_prompt_that_does_not_fit_holds_the_queue_and_decodes_go_on():
    lane = Lane(decode(0, 25), prompt(1, 60), prompt(2, 10), free_blocks=5)
    assert policy().batch(lane) == Batch([0], (), [])


def test_admission_leaves_the_watermark_free_while_anything_runs():
    running, waiting = decode(0, 25), prompt(1, 50)
    assert policy(watermark=0.01).batch(Lane(running, waiting, free_blocks=6)) == Batch((), [(1, 50)])
    assert policy(watermark=0.02).batch(Lane(running, waiting, free_blocks=6)) == Batch([0], (), [])
    assert policy(watermark=0.02).batch(Lane(waiting, free_blocks=6)) == Batch((), [(1, 50)]), "or it never would"


def test_a_prompt_longer_than_the_budget_goes_alone_in_chunks():
    long = prompt(1, 250)
    assert policy().batch(Lane(decode(0, 25), long, prompt(2, 5), free_blocks=50)) == Batch((), [(1, 100)])
    long.state, long.computed_tokens, long.kv_blocks = "running", 100, 10
    assert policy().batch(Lane(decode(0, 25), long, prompt(2, 5), free_blocks=40)) == Batch((), [(1, 100)])
    long.computed_tokens, long.kv_blocks = 200, 20
    assert policy().batch(Lane(decode(0, 25), long, prompt(2, 5), free_blocks=30)) == Batch((), [(1, 50)])


def test_a_prompt_longer_than_the_budget_starts_only_if_all_of_it_fits():
    assert policy().batch(Lane(decode(0, 25), prompt(1, 250), free_blocks=24)) == Batch([0], (), [])


def test_when_kv_runs_out_the_newest_yields_and_its_blocks_go_to_the_others():
    lane = Lane(decode(0, 31), decode(1, 31), decode(2, 25), free_blocks=1)
    assert policy().batch(lane) == Batch([0, 1], (), preempt=[2]), "one block is free, and three come back"


def test_a_newest_that_lacks_its_own_block_yields_itself():
    lane = Lane(decode(0, 31), decode(1, 25), decode(2, 41), free_blocks=1)
    assert policy().batch(lane) == Batch([0, 1], (), preempt=[2])


def test_as_many_yield_as_it_takes():
    lane = Lane(*(decode(i, 31) for i in range(5)), decode(5, 11), decode(6, 9), free_blocks=0)
    assert policy().batch(lane) == Batch([0, 1, 2, 3], (), preempt=[6, 5, 4]), "4 lack, and 1 + 1 + 3 come back"


def test_who_yielded_waits_until_all_of_it_fits_again():
    again = Ask(2, 20, output_tokens=4, state="waiting")
    assert policy().batch(Lane(decode(0, 32, 4), again, free_blocks=2)) == Batch([0], (), [])
    assert policy().batch(Lane(decode(0, 32, 4), again, free_blocks=3)) == Batch((), [(2, 24)])


def test_asking_twice_gives_the_same_answer():
    scheduler, lane = policy(), Lane(decode(0, 31), prompt(1, 60), prompt(2, 30), free_blocks=20)
    assert scheduler.batch(lane) == scheduler.batch(lane)


def test_a_wrong_argument_is_named():
    with pytest.raises(ValueError, match=r"watermark must be >= 0 and < 1, got 1\.0"):
        PrefillFirst(watermark=1.0)
