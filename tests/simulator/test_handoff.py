"""Hand-off: KV goes from the instance that computed a prompt to the one that goes on; what it costs, where it waits.

Iterations take 10 ms, and a block 1 ms over any link, in each direction.
"""

from typing import Any

import pytest

from policies.vllm_v1 import VllmV1
from simcore.contract import Abort, Dispatch, IllegalAction, Router, WakeAt
from tests.simulator.given import Row, both, slow
from tests.simulator.harness import MS, at

PD: dict[str, Any] = {"instances": 2, "roles": ("prefill", "decode")}


def passing(to: int = 1, origin: int = 0, **hooks: Any) -> dict[str, Any]:
    """Arrivals go to `origin` (a number, or one for each request), what is prefilled to `to`."""
    emits = frozenset({Dispatch, WakeAt, Abort})
    own = {
        "on_arrived": lambda self, view, fact: (Dispatch(fact.request, origin),),
        "on_prefilled": lambda self, view, fact: (Dispatch(fact.request, to),),
    }
    return {"make_router": type("Passing", (Router,), {"emits": emits, **own, **hooks})}


def looking(notes: list[Any], *dates_s: float) -> dict[str, Any]:
    """Hooks that note (free, reserved) of each instance, and the state of each request, at these dates."""

    def on_woke(self, view, fact):
        blocks = [(one.free_blocks, one.reserved_blocks) for one in view.instances]
        notes.append((blocks, [(request.state, request.instance) for request in view.requests.values()]))
        return ()

    return {"on_start": at(*dates_s), "on_woke": on_woke}


# -- what it costs ----------------------------------------------------------------------------------------------------


def test_the_second_token_comes_after_the_copy_and_an_iteration():
    """32 tokens, prefilled at 10 ms: two blocks, there at 12."""
    seen = both([Row(0, 32, 4)], lambda notes: passing(), **PD, **slow(2))
    assert seen.tokens[0] == [10, 22, 32, 42]
    assert [(row[0], row[1], row[2]) for row in seen.log if row[1] in ("prefilled", "fetch", "joined")] == [
        (10, "prefilled", 0),
        (10, "fetch", 1),
        (12, "joined", 1),
    ]
    assert (seen.counters["handoffs"], seen.counters["handoff_blocks"]) == (1, 2)


def test_two_at_once_share_the_link():
    seen = both([Row(0, 32, 2), Row(0, 32, 2)], lambda notes: passing(), **PD, **slow(2))
    assert seen.tokens == {0: [10, 24], 1: [10, 24]}


def test_what_is_left_alone_on_the_link_speeds_up():
    """One block and three: both at half rate for 2 ms, then the other two blocks' worth at full rate until 14."""
    seen = both([Row(0, 16, 2), Row(0, 48, 2)], lambda notes: passing(), **PD, **slow(2))
    assert seen.when("joined") == [12, 22]
    assert both([Row(0, 16, 1), Row(0, 48, 2)], lambda notes: passing(), **PD, **slow(2)).when("joined") == [13]


def test_two_destinations_share_the_way_out_of_their_source():
    settings: dict[str, Any] = {"instances": 3, "roles": ("prefill", "decode", "decode")}
    spread = passing(on_prefilled=lambda self, view, fact: (Dispatch(fact.request, 1 + fact.request),))
    seen = both([Row(0, 16, 2), Row(0, 48, 2)], lambda notes: spread, **settings, **slow(3))
    assert seen.tokens == {0: [10, 22], 1: [10, 24]}


def test_a_copy_crosses_the_latency_of_both_ends_and_pays_each_launch():
    links = slow(2, nvlink_latency_ps=3 * MS, launch_ps=2 * MS)
    assert both([Row(0, 32, 2)], lambda notes: passing(), **PD, **links).tokens[0] == [10, 10 + 6 + 4 + 2 + 10]


def test_without_links_the_copy_takes_no_time():
    assert both([Row(0, 32, 3)], lambda notes: passing(), **PD).tokens[0] == [10, 20, 30]


def test_a_request_of_one_token_ends_where_it_was_prefilled():
    seen = both([Row(0, 32, 1)], lambda notes: passing(), **PD, **slow(2))
    assert seen.tokens[0] == [10]
    assert seen.when("prefilled") == []


def test_who_arrives_joins_a_batch_under_way_at_its_next_boundary():
    """The first decodes from 12 on; the second is prefilled at 35, there at 37, and joins at 42."""
    seen = both([Row(0, 32, 9), Row(25, 32, 2)], lambda notes: passing(), **PD, **slow(2))
    assert seen.tokens[1] == [35, 62]
    assert (seen.when("fetch", 1), seen.when("joined", 1)) == ([42], [52])


# -- where it waits ---------------------------------------------------------------------------------------------------


def test_a_source_gives_the_blocks_back_when_the_copy_has_ended():
    dates = (0.005, 0.0105, 0.0115, 0.0125)
    seen = both([Row(0, 32, 2)], lambda notes: passing(**looking(notes, *dates)), **PD, **slow(2), kv_blocks=10)
    assert seen.notes == [
        ([(8, 0), (10, 0)], [("running", 0)]),
        ([(8, 2), (8, 2)], [("paused", 1)]),
        ([(8, 2), (8, 2)], [("paused", 1)]),
        ([(10, 0), (7, 0)], [("running", 1)]),
    ]


def test_a_source_at_work_gives_the_blocks_back_at_its_next_boundary():
    """The copy ends at 12; the second prompt is computed from 10 to 20."""
    looks = (0.0125, 0.0195, 0.0205)
    rows = [Row(0, 32, 2), Row(5, 32, 1)]
    seen = both(rows, lambda notes: passing(**looking(notes, *looks)), **PD, **slow(2), kv_blocks=10)
    assert [blocks[0] for blocks, _ in seen.notes] == [(6, 2), (6, 2), (10, 0)]


def test_a_full_destination_leaves_kv_at_its_source():
    """Four blocks each: the second needs three, and finds them when the first ends, at 202."""
    rows = [Row(0, 32, 20), Row(0, 32, 20)]
    seen = both(rows, lambda notes: passing(**looking(notes, 0.1, 0.203, 0.205)), **PD, **slow(2), kv_blocks=4)
    assert seen.tokens == {
        0: [10.0, *(22.0 + 10 * i for i in range(19))],
        1: [10.0, *(214.0 + 10 * i for i in range(19))],
    }
    assert seen.notes[0] == ([(2, 0), (1, 0)], [("running", 1), ("waiting", 1)])
    assert seen.notes[1] == ([(2, 2), (2, 2)], [("paused", 1)])
    assert seen.notes[2] == ([(4, 0), (1, 0)], [("running", 1)])


def test_an_undispatched_request_waits_where_it_was_prefilled():
    def build(notes):
        def on_woke(self, view, fact):
            request = view.requests[0]
            notes.append((request.state, request.instance, view.instances[0].free_blocks))
            return (Dispatch(0, 1),)

        return passing(on_prefilled=lambda self, view, fact: (), on_start=at(0.1), on_woke=on_woke)

    seen = both([Row(0, 32, 2)], build, **PD, **slow(2))
    assert seen.notes == [("paused", 0, 998)]
    assert seen.tokens[0] == [10, 112]


def test_a_mixed_instance_takes_new_and_prefilled_requests():
    settings: dict[str, Any] = {"instances": 2, "roles": ("prefill", "mixed")}
    origins = passing(on_arrived=lambda self, view, fact: (Dispatch(fact.request, fact.request),))
    seen = both([Row(0, 32, 3), Row(0, 32, 3)], lambda notes: origins, **settings, **slow(2))
    assert seen.tokens == {0: [10, 30, 40], 1: [10, 20, 30]}


def test_who_loses_its_place_on_a_decode_instance_is_computed_again_there():
    """Four blocks: at 170 ms both need a third. The second is computed again when the first has ended."""
    rows = [Row(0, 16, 40), Row(0, 16, 40)]
    seen = both(rows, lambda notes: passing(), **PD, kv_blocks=4)
    assert [row[:4] for row in seen.log if row[1] == "preempted"] == [(170, "preempted", 1, 1)]
    assert [row[:4] for row in seen.log if row[1] == "admitted" and row[0]] == [(400, "admitted", 1, 1)]
    assert seen.tokens[1][17] == 410


def test_new_requests_go_nowhere_but_to_those_that_prefill():
    with pytest.raises(IllegalAction, match="instance 1 takes only what was prefilled elsewhere"):
        both([Row(0, 32, 2)], lambda notes: passing(origin=1), **PD)
    with pytest.raises(IllegalAction, match="instance 0 takes only what is not prefilled"):
        both([Row(0, 32, 2)], lambda notes: passing(to=0), **PD)


# -- with caches ------------------------------------------------------------------------------------------------------


def test_only_what_the_destination_has_not_cached_is_copied():
    """Of 40 tokens, two blocks are full and stay at both ends: the second prompt is found, and one block copied."""
    rows = [Row(at, 40, 2, ((7, 40),)) for at in (0, 100)]
    seen = both(rows, lambda notes: passing(), **PD, **slow(2), prefix_cache="cold")
    assert seen.tokens == {0: [10, 23], 1: [110, 121]}
    assert seen.prefills() == [(40, 0), (8, 32)]
    assert seen.details("fetch", 1) == [1]


def test_a_request_whose_kv_is_all_cached_is_handed_on_without_bytes():
    rows = [Row(at, 32, 2, ((7, 32),)) for at in (0, 100)]
    seen = both(rows, lambda notes: passing(), **PD, **slow(2, launch_ps=MS), prefix_cache="cold")
    assert seen.tokens == {0: [10, 24], 1: [110, 120]}
    assert seen.details("fetch", 1) == [0]


def test_blocks_that_wait_at_their_source_are_found_by_the_next_prompt():
    hold = passing(on_prefilled=lambda self, view, fact: () if fact.request == 0 else (Dispatch(0, 1), Dispatch(1, 1)))
    rows = [Row(at, 40, 2, ((7, 40),)) for at in (0, 100)]
    seen = both(rows, lambda notes: hold, **PD, **slow(2), prefix_cache="cold")
    assert seen.cached == {0: 0, 1: 32}


# -- cut short --------------------------------------------------------------------------------------------------------

STAGES = {
    "being prefilled": (0.005, False),
    "just prefilled": (0.010, False),
    "held at its source": (0.015, False),
    "being copied": (0.0115, True),
    "just there": (0.012, True),
    "decoding": (0.025, True),
}


@pytest.mark.parametrize("cache", [None, "cold"])
@pytest.mark.parametrize("stage", STAGES)
def test_an_abort_at_any_stage_gives_all_blocks_back(stage, cache):
    date_s, dispatched = STAGES[stage]
    hold: dict[str, Any] = {} if dispatched else {"on_prefilled": lambda self, view, fact: ()}
    kinds = passing(on_start=at(date_s), on_woke=lambda self, view, fact: (Abort(0),), **hold)
    seen = both([Row(0, 32, 9), Row(300, 16, 1)], lambda notes: kinds, **PD, **slow(2), prefix_cache=cache)
    assert seen.states == {0: "cancelled", 1: "finished"}
    assert [one.free_blocks for one in seen.simulator.instances] == [1000, 1000]


@pytest.mark.parametrize("cache", [None, "cold"])
def test_an_abort_of_one_that_waits_at_a_full_destination_frees_its_source(cache):
    kinds = passing(on_start=at(0.05), on_woke=lambda self, view, fact: (Abort(1),))
    seen = both([Row(0, 32, 20)] * 2, lambda notes: kinds, **PD, **slow(2), kv_blocks=4, prefix_cache=cache)
    assert seen.states == {0: "finished", 1: "cancelled"}
    assert [one.free_blocks for one in seen.simulator.instances] == [4, 4]


@pytest.mark.parametrize("cache", [None, "cold"])
def test_who_is_stopped_at_its_first_token_is_not_handed_on(cache):
    def build(notes):
        def on_prefilled(self, view, fact):
            notes.append(fact.request)
            return (Dispatch(fact.request, 1),)

        return passing(
            on_first_token=lambda self, view, fact: (Abort(0),) if fact.request == 0 else (), on_prefilled=on_prefilled
        )

    seen = both([Row(0, 32, 9), Row(0, 32, 2)], build, **PD, **slow(2), prefix_cache=cache)
    assert seen.notes == [1]
    assert seen.states == {0: "cancelled", 1: "finished"}
    assert [one.free_blocks for one in seen.simulator.instances] == [1000, 1000]


def test_a_paused_request_that_was_stopped_is_no_more_to_be_seen():
    """Its copy goes on until 12; the scheduler of its destination looks at 11.5."""

    def build(notes):
        local = type(
            "Local",
            (VllmV1,),
            {"on_start": at(0.0115), "on_woke": lambda s, v, f: notes.append(list(v.requests)) or ()},
        )
        stop = passing(on_start=at(0.011), on_woke=lambda self, view, fact: (Abort(0),))
        return stop | {"make_scheduler": local}

    seen = both([Row(0, 32, 9), Row(300, 16, 1)], build, **PD, **slow(2))
    assert seen.notes == [[], []]
