"""Llumnix's local half: the queue, blocks in reserve, who yields, who moves. Blocks have 10 tokens."""

from typing import Any, cast

import pytest

from policies.llumnix_scheduler import LlumnixScheduler, Migrant
from tests.policies.views import Ask, Lane


def running(id, tokens, **said: Any):
    """A request with so many tokens, one of them generated."""
    return Ask(id, tokens - 1, output_tokens=1, state="running", **said)


def test_urgent_requests_go_before_all_others_and_equals_in_order_of_arrival():
    queue = [Ask(0, arrival_s=1), Ask(1, arrival_s=0), Ask(2, arrival_s=2, priority=-1)]
    assert [ask.id for ask in sorted(queue, key=LlumnixScheduler().order)] == [2, 1, 0]


def test_admission_leaves_the_watermark_free():
    scheduler = LlumnixScheduler(watermark=0.05)
    tokens_41 = Ask(1, 41, state="waiting")
    assert scheduler.admit(Lane(running(0, 20), free_blocks=10), tokens_41) == "yes", "5 of 10 blocks, 5 are kept"
    assert scheduler.admit(Lane(running(0, 20), free_blocks=9), tokens_41) == "hold"
    assert scheduler.admit(Lane(free_blocks=5), tokens_41) == "yes", "alone it may take them all"


def test_what_a_waiting_request_holds_it_does_not_need_again():
    held = Ask(1, 41, state="waiting", kv_blocks=3)
    assert LlumnixScheduler(watermark=0.05).admit(Lane(running(0, 20), free_blocks=7), held) == "yes"


def test_the_least_urgent_and_among_equals_the_newest_yields():
    lane = Lane(running(0, 9), running(1, 9, arrival_s=5), running(2, 9, arrival_s=7, priority=-1), free_blocks=0)
    assert LlumnixScheduler().victim(lane) == 1


@pytest.mark.parametrize(("migrant", "moves"), [("shortest", 1), ("longest", 2), ("last", 3)])
def test_of_the_least_urgent_the_shortest_the_longest_or_the_last_admitted_moves(migrant, moves):
    lane = Lane(
        running(0, 5, priority=0),
        running(1, 30, priority=1),
        running(2, 50, priority=1),
        running(3, 40, priority=1),
        Ask(4, 10, state="running", priority=1),
        Ask(5, 10, state="waiting", priority=1),
        free_blocks=0,
    )
    assert LlumnixScheduler(migrant=migrant).pick_migrant(lane) == moves, "4 has no token yet"


def test_urgent_requests_move_when_nobody_else_can_or_never():
    alone = Lane(running(0, 5, priority=-1), free_blocks=0)
    among_others = Lane(running(0, 5, priority=-1), running(1, 9), free_blocks=0)
    assert LlumnixScheduler(keep_urgent=False).pick_migrant(alone) == 0
    assert LlumnixScheduler().pick_migrant(alone) is None
    assert LlumnixScheduler(keep_urgent=False).pick_migrant(among_others) == 1


def test_without_priorities_all_are_equal():
    equal = LlumnixScheduler(priorities=False)
    early, late = running(0, 5, priority=-1, arrival_s=1), running(1, 9, priority=1, arrival_s=0)
    assert equal.order(early) > equal.order(late)
    lane = Lane(early, late, free_blocks=0)
    assert equal.victim(lane) == equal.pick_migrant(lane) == 0


def test_a_wrong_argument_is_named():
    with pytest.raises(ValueError, match="migrant must be one of shortest, longest, last, got 'LCFS'"):
        LlumnixScheduler(migrant=cast(Migrant, "LCFS"))
    with pytest.raises(ValueError, match="watermark must be >= 0 and < 1, got 1"):
        LlumnixScheduler(watermark=1)
