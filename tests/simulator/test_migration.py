"""Migration: a request moves with its KV while it runs; what it costs, who refuses, what is left behind.

Iterations take 10 ms, and a block 1 ms over any link, in each direction.
"""

import pytest

from policies.vllm_v1 import VllmV1
from simcore.contract import Abort, Drain, IllegalAction, Migrate, Preempt, Terminate, WakeAt
from tests.simulator.given import EVERY, Row, both, slow
from tests.simulator.moving import TWO, by_script, move, picking, rows_of

GO = (Migrate(0, 1, 0),)
KV = ("blocking", "two_stage", "multistage")


# -- what it costs ----------------------------------------------------------------------------------------------------


def test_a_short_request_is_paused_for_its_only_stage():
    """Asked at 34: chosen at 40, room at once, paused at 50 with 164 tokens: 11 blocks, there at 61."""
    seen = move([Row(0, 160, 20)], {34: GO})
    assert rows_of(seen, "migrate", "paused", "stage", "migrated", "joined") == [
        (34, "migrate", 0, 1),
        (50, "paused", 0, 164),
        (50, "stage", 1, 11),
        (61, "migrated", 1, 11),
        (61, "joined", 1, 164),
    ]
    assert seen.tokens[0] == [*EVERY[:5], *(71 + 10 * i for i in range(15))]
    assert seen.notes == [(61, 0, "")]


def test_stages_go_on_until_few_blocks_are_left():
    """1594 tokens at 50, 100 blocks. At 5 ms a block the first 99 take 495 ms, in which three more begin."""
    seen = move([Row(0, 1590, 100)], {34: GO}, **slow(2, nvlink_bytes_per_s=200_000))
    assert rows_of(seen, "stage", "paused") == [
        (50, "stage", 1, 99),
        (550, "paused", 0, 1644),
        (550, "stage", 1, 4),
    ]
    assert seen.tokens[0][53:57] == [540, 550, 580, 590]
    counted = ("migrations", "migration_stages", "migrated_blocks")
    assert [seen.counters[name] for name in counted] == [1, 2, 103]


def test_two_stages_are_two_however_much_is_left():
    """Blocks of one token: all 164 at 50 are full; 17 more come until 220, more than a last stage of others has."""
    seen = move([Row(0, 160, 50)], {34: GO}, "two_stage", block_tokens=1)
    assert [row[3] for row in rows_of(seen, "stage")] == [164, 17]


def test_a_blocking_copy_pauses_for_all_blocks():
    seen = move([Row(0, 1590, 100)], {34: GO}, "blocking")
    assert rows_of(seen, "paused", "stage", "joined") == [
        (50, "paused", 0, 1594),
        (50, "stage", 1, 100),
        (150, "joined", 1, 1594),
    ]


def test_who_never_catches_up_is_never_paused():
    """A token is a block and takes as long to copy as to generate: 43, 44 and 45 blocks, and as many are left."""
    links = slow(2, nvlink_bytes_per_s=100_000)
    seen = move([Row(0, 40, 200)], {34: GO}, block_tokens=1, **links)
    assert len(rows_of(seen, "stage")) == 3
    assert [note[2] for note in seen.notes] == ["too slow"]
    assert seen.tokens[0] == [10.0 * i for i in range(1, 201)]
    assert [one.free_blocks for one in seen.simulator.instances] == [1000, 1000]


def test_recompute_drops_the_kv_and_keeps_the_tokens():
    seen = move([Row(0, 160, 20)], {34: GO}, "recompute")
    assert rows_of(seen, "migrated", "admitted")[1:] == [(40, "migrated", 1, 0), (40, "admitted", 1, 164)]
    assert seen.tokens[0] == EVERY[:20]
    assert seen.preemptions == {0: 0}


def test_downtime_is_told_from_the_pause_to_the_next_token():
    for kind, downtime in (("multistage", 21), ("blocking", 21), ("recompute", 10)):
        seen = move([Row(0, 160, 20)], {34: GO}, kind)
        measured = seen.simulator.outcome.measured
        assert measured == {f"migration_downtime_s_{name}": downtime / 1000 for name in ("mean", "p99", "max")}


def test_neighbours_are_slowed_down_while_a_copy_runs():
    """Twice as long: iterations that start at 50 at both ends, while 11 blocks are copied until 61."""
    rows = [Row(0, 160, 20), Row(0, 16, 10), Row(0, 16, 10)]
    seen = move(rows, {34: GO}, migration_slowdown=2.0, homes={2: 1})
    assert seen.tokens[1] == [10, 20, 30, 40, 50, 70, 80, 90, 100, 110]
    assert seen.tokens[2][4:7] == [50, 70, 80]


def test_a_migration_shares_its_link_with_a_hand_off_of_bytes():
    """Two migrations from one source at once: each block takes 2 ms, so both pauses are twice as long."""
    script = {34: (Migrate(0, 1, 0), Migrate(0, 1, 1))}
    seen = move([Row(0, 160, 20), Row(0, 160, 20)], script, migration_slots=2)
    assert [row[0] for row in rows_of(seen, "joined")] == [72, 72]


# -- requests that wait -----------------------------------------------------------------------------------------------


def test_a_waiting_request_moves_at_once_and_takes_no_slot():
    """Two places: the third request waits, moves at 40, and starts there."""
    rows = [Row(0, 160, 40), Row(0, 16, 40), Row(0, 16, 3)]
    seats = {"make_scheduler": lambda: VllmV1(max_num_seqs=2)}
    seen = move(rows, {34: (Migrate(0, 1, 0), Migrate(0, 1, 2))}, **seats)
    assert seen.notes[0] == (40, 2, "")
    assert seen.tokens[2] == [50, 60, 70]
    assert seen.notes[1][1:] == (0, "")


def test_a_full_queue_takes_no_waiting_request():
    rows = [Row(0, 16, 40), Row(0, 16, 40), Row(1, 16, 3), Row(1, 16, 3)]
    seats = {"make_scheduler": lambda: VllmV1(max_num_seqs=1)}
    seen = move(rows, {34: (Migrate(0, 1, 2),)}, homes={1: 1, 3: 1}, max_waiting=1, **seats)
    assert seen.notes == [(40, 2, "queue full")]


# -- who moves --------------------------------------------------------------------------------------------------------


def test_the_scheduler_of_the_source_picks():
    pick = {"make_scheduler": lambda: picking(1)()}
    seen = move([Row(0, 16, 30), Row(0, 16, 30)], {34: (Migrate(0, 1),)}, **pick)
    assert seen.details("migrated", 1) == [2]
    assert seen.notes == [(52, None, "")]


@pytest.mark.parametrize("scheduler", [VllmV1, picking(None)])
def test_a_scheduler_may_have_nobody_to_give(scheduler):
    seen = move([Row(0, 16, 30)], {34: (Migrate(0, 1),)}, make_scheduler=lambda: scheduler())
    assert seen.notes == [(40, None, "nobody")]


def test_a_pick_that_is_elsewhere_is_illegal():
    pick = {"make_scheduler": lambda: picking(1)()}
    with pytest.raises(IllegalAction, match="pick_migrant: must be on instance 0, got request 1"):
        move([Row(0, 16, 30), Row(0, 16, 30)], {34: (Migrate(0, 1),)}, homes={1: 1}, **pick)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (Migrate(0, 0), "src and dst must differ"),
        (Migrate(0, 2), "dst must be 0..1"),
        (Migrate(1, 0, 0), "request 0 must be on instance 1"),
        (Migrate(0, 1, 7), "request 7 must be on instance 0"),
    ],
)
def test_an_action_wrong_by_its_own_view_is_illegal(action, message):
    with pytest.raises(IllegalAction, match=message):
        move([Row(0, 16, 30)], {34: (action,)})


def test_the_same_action_twice_is_illegal():
    with pytest.raises(IllegalAction, match="still in flight"):
        move([Row(0, 16, 30)], {34: (Migrate(0, 1), Migrate(0, 1))})


def test_nothing_migrates_unless_the_mechanism_is_on():
    with pytest.raises(IllegalAction, match="needs `mechanism"):
        move([Row(0, 16, 30)], {34: GO}, "none")


@pytest.mark.parametrize("other", [{"schedule_ahead": 1}, {"sm_split": (50, 50)}, {"roles": ("prefill", "decode")}])
def test_what_migrations_do_not_go_with_is_refused(other):
    with pytest.raises(ValueError, match="migration: does not go with"):
        move([Row(0, 16, 30)], {34: GO}, **other)


# -- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KV)
def test_one_slot_is_one_migration_in_or_out(kind):
    rows = [Row(0, 1600, 50), Row(0, 16, 50), Row(0, 16, 50)]
    script = {34: (Migrate(0, 1, 0), Migrate(0, 1, 1), Migrate(1, 0, 2))}
    seen = move(rows, script, kind, homes={2: 1})
    assert [(note[1], note[2]) for note in seen.notes[:2]] == [(1, "no slot"), (0, "no slot")]


def test_a_full_destination_refuses_without_a_trace():
    """Twelve blocks there, two are taken: eleven and one more do not fit."""
    seen = move([Row(0, 160, 12), Row(0, 32, 10)], {34: GO}, homes={1: 1}, kv_blocks=13)
    assert seen.notes == [(40, 0, "no memory")]
    assert seen.tokens[0] == EVERY[:12]


def test_a_destination_without_a_seat_refuses():
    seats = {"make_scheduler": lambda: VllmV1(max_num_seqs=1)}
    seen = move([Row(0, 160, 12), Row(0, 32, 10)], {34: GO}, homes={1: 1}, **seats)
    assert seen.notes == [(40, 0, "no seat")]


def test_who_is_in_its_prefill_does_not_move():
    chunked = {"make_scheduler": lambda: VllmV1(max_num_batched_tokens=32, max_num_seqs=8)}
    seen = move([Row(0, 160, 12)], {34: GO}, **chunked)
    assert seen.notes == [(40, 0, "not movable")]


def test_a_request_moves_once_at_a_time():
    seen = move(
        [Row(0, 1600, 50)], {34: GO, 54: (Migrate(0, 1),)}, make_scheduler=lambda: picking(0)(), migration_slots=2
    )
    assert seen.notes[0] == (60, None, "not movable")


def test_a_destination_that_drains_takes_nobody_new():
    seen = move([Row(0, 160, 30), Row(0, 16, 30)], {34: GO, 35: (Drain(1),)}, homes={1: 1})
    assert seen.notes == [(40, 0, "not up")]


def test_a_migration_under_way_keeps_its_draining_destination_up():
    seen = move([Row(0, 160, 30)], {34: GO, 55: (Drain(1),)})
    assert seen.notes == [(61, 0, "")]
    assert rows_of(seen, "finished", "down") == [(311, "finished", 1, 30), (311, "down", 1, 0)]


def test_a_draining_source_is_empty_when_its_requests_have_gone():
    seen = move([Row(0, 160, 30)], {34: (Drain(0), *GO)})
    assert rows_of(seen, "migrated", "down") == [(61, "migrated", 1, 11), (61, "down", 0, 0)]


# -- cut short: who is where, and no block is lost (`both` looks) -----------------------------------------------------


@pytest.mark.parametrize("kind", KV)
@pytest.mark.parametrize("cache", [None, "cold"])
def test_a_request_that_finishes_while_it_is_copied_leaves_nothing_behind(kind, cache):
    """Chosen at 40, it gives its last token at 60, while its first stage is under way; or at 50, before any."""
    output = 5 if kind == "blocking" else 6
    seen = move([Row(0, 1600, output), Row(300, 16, 1)], {34: GO}, kind, prefix_cache=cache)
    assert seen.tokens[0] == EVERY[:output]
    assert [note[2] for note in seen.notes] == ["gone"]
    assert [one.free_blocks for one in seen.simulator.instances] == [1000, 1000]


def test_a_request_preempted_while_it_is_copied_stays():
    """Its scheduler takes it out at 60, during the first stage; it starts again at once, and is gone all the same."""
    meddle = type(
        "Meddle",
        (VllmV1,),
        {
            "on_start": lambda self, view: (WakeAt(0.055, "now"),) if view.instance == 0 else (),
            "on_woke": lambda self, view, fact: (Preempt(0),),
        },
    )
    seen = move([Row(0, 1600, 20)], {34: GO}, make_scheduler=lambda: meddle())
    assert [(note[1], note[2]) for note in seen.notes] == [(0, "gone")]
    assert seen.preemptions == {0: 1}
    assert seen.finished[0] == 200


POINTS = {"asked": 35, "chosen": 45, "first stage": 55, "paused": 160.5, "there": 173}
"""ms: 1600 tokens, chosen at 40, copied from 50 to 150 and, paused at 160, for another millisecond."""


@pytest.mark.parametrize("cache", [None, "cold"])
@pytest.mark.parametrize("point", POINTS)
def test_an_abort_at_any_point_gives_all_blocks_back(point, cache):
    seen = move([Row(0, 1600, 50), Row(300, 16, 1)], {34: GO, POINTS[point]: (Abort(0),)}, prefix_cache=cache)
    assert seen.states == {0: "cancelled", 1: "finished"}
    assert [note[2] for note in seen.notes] == ["" if point == "there" else "gone"]
    assert [one.free_blocks for one in seen.simulator.instances] == [1000, 1000]


@pytest.mark.parametrize("cache", [None, "cold"])
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("end", [0, 1])
def test_an_instance_that_dies_at_any_point_leaves_the_other_whole(point, cache, end):
    rows = [Row(0, 1600, 50), Row(0, 16, 60)]
    seen = move(rows, {34: GO, POINTS[point]: (Terminate(end),)}, prefix_cache=cache, homes={1: 1 - end})
    assert seen.states == {0: "finished", 1: "finished"}
    assert [note[2] for note in seen.notes] == ["" if point == "there" else "instance down"]
    lost = end == (point == "there")
    assert bool(rows_of(seen, "lost")) == lost
    if not lost and point != "there":
        paused = 10 if point == "paused" else 0
        assert seen.finished[0] == 500 + paused


def test_who_goes_on_at_its_source_has_its_old_place():
    """The destination dies at 55; the request is back at 60, and is still the older of the two."""

    def build(notes):
        hooks = {
            "on_start": lambda self, view: (WakeAt(0.065, 0),) if view.instance == 0 else (),
            "on_woke": lambda self, view, fact: notes.append(list(view.running)) or (),
        }
        looking = type("Looking", (VllmV1,), hooks)
        return by_script({34: GO, 55: (Terminate(1),)}, notes) | {"make_scheduler": looking}

    seen = both([Row(0, 160, 20), Row(0, 16, 20)], build, **TWO, migration="multistage")
    assert seen.notes == [(55, 0, "instance down"), [0, 1]]
    assert rows_of(seen, "paused", "resumed") == [(50, "paused", 0, 164), (60, "resumed", 0, 164)]
    assert seen.tokens[0][4:7] == [50, 70, 80]
