"""Prefix cache: what is found again, how much of it is computed, and what is forgotten first."""

from typing import Any

import pytest

from simcore.contract import Dispatch, Preempt, Reject
from tests.simulator.given import Row, both
from tests.simulator.harness import at, router, scheduler, to_zero


def probing(notes: list[Any], after: int) -> dict[str, Any]:
    """Requests from number `after` on only note what instance 0 has cached of them, and are turned away."""

    def on_arrived(self, view, fact):
        if fact.request < after:
            return (Dispatch(fact.request, 0),)
        notes.append(view.instances[0].cached_tokens(fact.request))
        return (Reject(fact.request),)

    return {"make_router": router(on_arrived=on_arrived)}


def preempting(*dates_s: float) -> dict[str, Any]:
    """Request 0 loses its place at these dates."""
    return {"make_scheduler": scheduler(on_start=at(*dates_s), on_woke=lambda self, view, fact: (Preempt(0),))}


def test_without_a_cache_nothing_is_found_or_counted():
    seen = both([Row(0, 32, 1, ((7, 32),)), Row(100, 32, 1, ((7, 32),))])
    assert seen.prefills() == [(32, 0), (32, 0)]
    assert "prefix_hit_tokens" not in seen.counters


@pytest.mark.parametrize(("prompt", "hits"), [(15, 0), (16, 0), (17, 16), (32, 16), (33, 32), (48, 32), (49, 48)])
def test_a_prompt_seen_before_finds_its_full_blocks_but_computes_its_last_token(prompt, hits):
    seen = both([Row(at, prompt, 1, ((7, prompt),)) for at in (0, 100)], prefix_cache="cold")
    assert seen.prefills() == [(prompt, 0), (prompt - hits, hits)]
    assert seen.cached == {0: 0, 1: hits}
    assert seen.counters["prefix_hit_tokens"] == hits
    assert seen.counters["prefix_query_tokens"] == 2 * prompt


def test_prompts_of_one_batch_find_what_the_first_of_them_computes():
    seen = both([Row(0, 40, 1, ((7, 40),)), Row(0, 40, 1, ((7, 40),))], prefix_cache="cold")
    assert seen.prefills() == [(40, 0), (8, 32)]
    assert seen.tokens == {0: [10], 1: [10]}


def test_a_long_prompt_is_found_as_far_as_it_was_computed():
    """The first computes 16 tokens an iteration; what comes after two of them finds two blocks."""
    narrow = {"make_scheduler": lambda: scheduler()(max_num_batched_tokens=16, max_num_seqs=16)}
    rows = [Row(0, 160, 1, ((7, 160),)), *(Row(at, 160, 1, ((7, 160),)) for at in (5, 15, 95, 105))]
    seen = both(rows, lambda notes: probing(notes, 1) | narrow, prefix_cache="cold")
    assert seen.notes == [16, 32, 144, 144]


def test_equal_keys_behind_other_tokens_are_other_tokens():
    rows = [Row(0, 64, 1, ((1, 32), (2, 64))), Row(100, 64, 1, ((3, 32), (2, 64)))]
    assert both(rows, prefix_cache="cold").cached == {0: 0, 1: 0}


@pytest.mark.parametrize(("output", "hits"), [(12, 16), (13, 32), (29, 48)])
def test_a_turn_finds_its_history_in_full_blocks(output, hits):
    """The last token of the turn before has no KV: 20 + 13 - 1 = 32 tokens are two full blocks."""
    rows = [Row(0, 20, output, program=0), Row(0, 80, 1, program=0, turn=1, gap=50)]
    assert both(rows, prefix_cache="cold").cached == {0: 0, 1: hits}


def test_a_preempted_request_finds_its_own_blocks_and_computes_the_rest():
    """Asked for at 45 ms, done at 50: five tokens, 40 + 5 to compute, 44 of which had KV: two full blocks."""
    seen = both([Row(0, 40, 20)], lambda notes: preempting(0.045), prefix_cache="cold")
    assert seen.prefills() == [(40, 0), (13, 32)]
    assert seen.tokens[0] == [10 * i for i in range(1, 21)]


def test_hits_are_those_of_the_first_admission():
    seen = both([Row(0, 40, 20)], lambda notes: preempting(0.045, 0.085), prefix_cache="cold")
    assert len(seen.prefills()) == 3
    assert seen.cached == {0: 0}
    assert (seen.counters["prefix_hit_tokens"], seen.counters["prefix_query_tokens"]) == (0, 40)


def test_what_was_not_used_for_longest_is_forgotten_first_its_last_block_first():
    """Four prompts of two blocks fill the pool; the first comes back, a token longer, and takes one block."""
    rows = [Row(20 * i, 32, 1, ((i, 32),)) for i in range(4)]
    rows += [Row(100, 33, 1, ((0, 32),))]
    rows += [Row(200, 33, 1, ((i, 32),)) for i in range(4)]
    seen = both(rows, lambda notes: probing(notes, 5), prefix_cache="cold", kv_blocks=8)
    assert seen.cached[4] == 32
    assert seen.notes == [32, 16, 32, 32]
    assert seen.counters["prefix_evictions"] == 1


def test_views_see_a_long_answer_push_out_what_was_cached():
    """Six blocks: the first leaves two cached and four empty. The second computes token 65 in its 50th iteration, from
    590 ms on, and token 81 in its 66th, from 750 ms on: its fifth and sixth block."""
    rows = [Row(0, 32, 1, ((7, 32),)), Row(100, 16, 70)]
    rows += [Row(date, 33, 1, ((7, 32),)) for date in (110, 585, 595, 745, 755)]
    seen = both(rows, lambda notes: probing(notes, 2), prefix_cache="cold", kv_blocks=6)
    assert seen.notes == [32, 32, 16, 16, 0]
    assert seen.counters["prefix_evictions"] == 2


def test_blocks_that_somebody_holds_need_not_be_free():
    """Of six blocks the first holds five; the second shares four of them, and finds room for its own."""
    rows = [Row(0, 65, 5, ((7, 64),)), Row(15, 65, 5, ((7, 64),))]
    seen = both(rows, prefix_cache="cold", kv_blocks=6)
    assert seen.when("admitted") == [0, 20]


def test_cached_blocks_that_nobody_holds_count_as_free_and_are_taken():
    """Of four blocks, two are cached. Who finds both takes three: then one block fits, and two do not."""
    rows = [Row(0, 32, 1, ((7, 32),)), Row(20, 33, 10, ((7, 32),)), Row(25, 16, 1), Row(25, 17, 1)]
    seen = both(rows, prefix_cache="cold", kv_blocks=4)
    assert seen.when("admitted") == [0, 20, 30, 120]


def test_free_blocks_of_views_count_what_is_cached_and_not_held():
    def build(notes):
        def on_woke(self, view, fact):
            notes.append(view.instances[0].free_blocks)
            return ()

        return {"make_router": router(on_arrived=to_zero, on_start=at(0.005, 0.015, 0.025, 0.035), on_woke=on_woke)}

    rows = [Row(0, 32, 1, ((7, 32),)), Row(20, 40, 1, ((7, 32),)), Row(100, 1, 1)]
    assert both(rows, build, prefix_cache="cold", kv_blocks=10).notes == [8, 10, 7, 10]


# -- a cache that starts warm -----------------------------------------------------------------------------------------


def test_a_warm_cache_has_the_prompts_of_all_requests():
    rows = [Row(0, 33, 1, ((7, 33),)), Row(100, 65, 1, ((7, 33),)), Row(200, 20, 1, program=0)]
    seen = both([*rows, Row(200, 50, 1, program=0, turn=1)], prefix_cache="warm")
    assert seen.cached == {0: 32, 1: 64, 2: 16, 3: 48}
    assert seen.counters["prefix_evictions"] == 0


def test_a_warm_cache_is_in_every_instance_and_holds_no_block():
    def build(notes):
        def on_start(self, view):
            notes.extend(one.free_blocks for one in view.instances)
            return ()

        def on_arrived(self, view, fact):
            notes.append([one.cached_tokens(fact.request) for one in view.instances])
            return (Dispatch(fact.request, 1),)

        return {"make_router": router(on_start=on_start, on_arrived=on_arrived)}

    assert both([Row(0, 40, 1, ((7, 40),))], build, prefix_cache="warm", instances=2).notes == [1000, 1000, [32, 32]]


def test_a_warm_cache_keeps_what_came_last():
    """Three blocks of the first prompt, then two of the second: of four, the first two of each are left."""
    rows = [Row(0, 49, 1, ((1, 49),)), Row(0, 33, 1, ((2, 33),))]
    seen = both(rows, lambda notes: probing(notes, 0), prefix_cache="warm", kv_blocks=4)
    assert seen.notes == [32, 32]


def test_a_warm_cache_passes_over_prompts_that_no_instance_could_hold():
    rows = [Row(0, 33, 1, ((1, 33),)), Row(0, 160, 1, ((2, 160),))]
    seen = both(rows, prefix_cache="warm", kv_blocks=4)
    assert seen.states == {0: "finished", 1: "rejected"}
    assert seen.cached[0] == 32
