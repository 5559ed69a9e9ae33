"""Phases: what a request did when, read off small decision logs written by hand."""

from simcore.contract import decisions as log
from simcore.results.phases import phases


def lives(*rows):
    """Return the phases told by (at, instance, kind, request, detail)."""
    return [tuple(phase) for phase in phases(rows)]


def test_a_plain_life_is_a_wait_a_prefill_and_a_decode():
    assert lives(
        (10, -1, log.ARRIVED, 7, 100),
        (10, 2, log.DISPATCH, 7, -1),
        (15, 2, log.ADMITTED, 7, 100),
        (40, 2, log.FIRST_TOKEN, 7, -1),
        (90, 2, log.FINISHED, 7, 6),
    ) == [(7, "waiting", 2, 10, 15, ""), (7, "prefill", 2, 15, 40, ""), (7, "decode", 2, 40, 90, "finished")]


def test_who_is_held_back_is_at_the_router():
    assert lives((0, -1, log.ARRIVED, 1, 5), (30, 0, log.DISPATCH, 1, -1), (31, 0, log.ABORTED, 1, 0)) == [
        (1, "at the router", -1, 0, 30, ""),
        (1, "waiting", 0, 30, 31, "aborted"),
    ]


def test_who_lost_its_place_computes_again_or_comes_back_from_the_host():
    begins = ((0, 0, log.ADMITTED, 1, 9), (1, 0, log.ADMITTED, 2, 9), (5, 0, log.FIRST_TOKEN, 1, -1))
    assert lives(
        *begins,
        (6, 0, log.FIRST_TOKEN, 2, -1),
        (10, 0, log.PREEMPTED, 1, 3),
        (11, 0, log.SWAPPED, 2, 3),
        (20, 0, log.ADMITTED, 1, 12),
        (21, 0, log.FETCH, 2, 1),
        (25, 0, log.JOINED, 2, 11),
        (30, 0, log.FINISHED, 1, 5),
        (31, 0, log.FINISHED, 2, 5),
    )[2:] == [
        (1, "decode", 0, 5, 10, ""),
        (2, "decode", 0, 6, 11, ""),
        (1, "preempted", 0, 10, 20, ""),
        (2, "swapped", 0, 11, 21, ""),
        (2, "KV copied in", 0, 21, 25, ""),
        (1, "computed again, decode", 0, 20, 30, "finished"),
        (2, "decode", 0, 25, 31, "finished"),
    ]


def test_who_is_handed_on_waits_prefilled_and_goes_on_elsewhere():
    assert [phase[1:3] for phase in lives(
        (0, 0, log.ADMITTED, 1, 9),
        (4, 0, log.FIRST_TOKEN, 1, -1),
        (4, 0, log.PREFILLED, 1, 9),
        (7, 1, log.DISPATCH, 1, -1),
        (8, 1, log.FETCH, 1, 1),
        (9, 1, log.JOINED, 1, 9),
        (12, 1, log.FINISHED, 1, 3),
    )] == [("prefill", 0), ("prefilled", 0), ("waiting", 1), ("KV copied in", 1), ("decode", 1)]  # fmt: skip


def test_who_lost_its_instance_arrives_again_and_keeps_its_tokens():
    assert lives(
        (0, 0, log.ADMITTED, 1, 9),
        (4, 0, log.FIRST_TOKEN, 1, -1),
        (6, 0, log.LOST, 1, 2),
        (6, -1, log.ARRIVED, 1, 9),
        (9, 1, log.DISPATCH, 1, -1),
        (9, 1, log.ADMITTED, 1, 11),
        (12, 1, log.FINISHED, 1, 3),
    )[1:] == [
        (1, "decode", 0, 4, 6, "lost"),
        (1, "at the router", -1, 6, 9, ""),
        (1, "computed again, decode", 1, 9, 12, "finished"),
    ]


def test_what_is_left_at_the_end_is_unfinished():
    assert lives((0, 0, log.DISPATCH, 1, -1), (50, 0, log.STEPPED, -1, 3)) == [(1, "waiting", 0, 0, 50, "unfinished")]


def test_who_moves_while_it_decodes_stands_still_for_the_last_stage():
    """Paused at 50 on instance 0, it goes on at 61 on instance 1; the copies before the pause are no phase."""
    assert lives(
        (0, -1, log.ARRIVED, 0, 16),
        (0, 0, log.DISPATCH, 0, -1),
        (0, 0, log.ADMITTED, 0, 16),
        (10, 0, log.FIRST_TOKEN, 0, -1),
        (20, 1, log.STAGE, 0, 7),
        (50, 0, log.PAUSED, 0, 20),
        (50, 1, log.STAGE, 0, 2),
        (61, 1, log.MIGRATED, 0, 9),
        (61, 1, log.JOINED, 0, 20),
        (90, 1, log.FINISHED, 0, 8),
    ) == [
        (0, "prefill", 0, 0, 10, ""),
        (0, "decode", 0, 10, 50, ""),
        (0, "migrating", 0, 50, 61, ""),
        (0, "decode", 1, 61, 90, "finished"),
    ]


def test_who_moves_while_it_waits_waits_elsewhere():
    assert lives(
        (0, 0, log.DISPATCH, 3, -1),
        (20, 1, log.MIGRATED, 3, 0),
        (25, 1, log.ADMITTED, 3, 9),
        (30, 1, log.FINISHED, 3, 1),
    ) == [(3, "waiting", 0, 0, 20, ""), (3, "waiting", 1, 20, 25, ""), (3, "prefill", 1, 25, 30, "finished")]


def test_whose_destination_goes_down_goes_on_where_it_was_paused():
    assert lives(
        (0, 0, log.FIRST_TOKEN, 1, -1),
        (10, 1, log.STAGE, 1, 2),
        (10, 0, log.PAUSED, 1, 20),
        (14, 1, log.DOWN, -1, 2),
        (14, 0, log.RESUMED, 1, 20),
        (30, 0, log.FINISHED, 1, 8),
    ) == [(1, "decode", 0, 0, 10, ""), (1, "migrating", 0, 10, 14, ""), (1, "decode", 0, 14, 30, "finished")]


def test_whose_copy_on_the_host_is_overwritten_is_preempted():
    assert lives(
        (0, 0, log.FIRST_TOKEN, 1, -1),
        (5, 0, log.SWAPPED, 1, 2),
        (9, 0, log.PRIORITIES, -1, 1),
        (9, 0, log.OVERWRITTEN, 1, 0),
        (20, 0, log.ADMITTED, 1, 12),
        (30, 0, log.FINISHED, 1, 4),
    )[1:] == [
        (1, "swapped", 0, 5, 9, ""),
        (1, "preempted", 0, 9, 20, ""),
        (1, "computed again, decode", 0, 20, 30, "finished"),
    ]


def test_a_sample_that_is_paused_is_on_no_instance_until_it_goes_on():
    assert lives(
        (0, -1, log.SUBMITTED, 1, 4),
        (3, 0, log.DISPATCH, 1, -1),
        (3, 0, log.ADMITTED, 1, 9),
        (5, 0, log.FIRST_TOKEN, 1, -1),
        (8, 0, log.SUSPENDED, 1, 3),
        (8, -1, log.TRAIN, -1, 0),
        (20, -1, log.CONTINUED, 1, 3),
        (21, 2, log.DISPATCH, 1, -1),
        (21, 2, log.ADMITTED, 1, 12),
        (40, 2, log.FINISHED, 1, 5),
    ) == [
        (1, "at the router", -1, 0, 3, ""),
        (1, "prefill", 0, 3, 5, ""),
        (1, "decode", 0, 5, 8, ""),
        (1, "paused", -1, 8, 20, ""),
        (1, "at the router", -1, 20, 21, ""),
        (1, "computed again, decode", 2, 21, 40, "finished"),
    ]


def test_what_comes_from_the_host_before_a_prompt_is_copied_in_and_then_waits():
    assert lives(
        (0, 0, log.DISPATCH, 1, -1),
        (3, 0, log.FETCH, 1, 4),
        (8, 0, log.RELOADED, 1, 64),
        (20, 0, log.ADMITTED, 1, 9),
        (25, 0, log.FINISHED, 1, 1),
    ) == [
        (1, "waiting", 0, 0, 3, ""),
        (1, "KV copied in", 0, 3, 8, ""),
        (1, "waiting", 0, 8, 20, ""),
        (1, "prefill", 0, 20, 25, "finished"),
    ]
