"""Wakes: timers and thresholds set in the middle of a macro-step."""

import pytest

from simcore.contract import IllegalAction, WakeAfter, WakeAt, WakeBelow
from tests.simulator.harness import at, router, run, scheduler, to_zero


def test_a_wake_after_set_in_mid_step_counts_from_the_last_boundary():
    told = []
    local = scheduler(
        on_start=at(0.045),
        on_woke=lambda s, v, f: (WakeAfter(3),),
        on_stepped=lambda s, v, f: told.append((v.now_s, f.iteration)) or (),
    )
    run([(0, 8, 60)], make_scheduler=local)
    assert told == [(0.07, 7)]


def test_a_wake_below_set_in_mid_step_comes_at_the_first_boundary_below():
    told = []
    local = scheduler(
        on_start=at(0.045),
        on_woke=lambda s, v, f: (WakeBelow(997),),
        on_stepped=lambda s, v, f: told.append((v.now_s, v.free_blocks)) or (),
    )
    # 16 prompt tokens hold one block; iteration 2 opens the second, 18 the third, 34 the fourth.
    run([(0, 16, 90)], make_scheduler=local)
    assert told == [(0.34, 996)]


def test_a_wake_below_comes_in_a_run_of_chunks_too():
    told = []
    local = scheduler(
        on_start=lambda s, v: (WakeBelow(995),),
        on_stepped=lambda s, v, f: told.append((v.now_s, v.free_blocks)) or (),
    )
    run([(0, 320, 2)], make_scheduler=lambda: local(max_num_batched_tokens=32, max_num_seqs=4))
    assert told == [(0.03, 994)]


def test_a_wake_after_less_than_one_iteration_is_illegal():
    with pytest.raises(IllegalAction, match="iterations must be >= 1"):
        run([(0, 8, 2)], make_scheduler=scheduler(on_start=lambda s, v: (WakeAfter(0),)))


def test_a_date_in_the_past_is_now():
    seen = []

    def on_woke(self, view, fact):
        seen.append((fact.key, view.now_s))
        return (WakeAt(0.001, "past"),) if fact.key == 0.035 else ()

    run([(0, 8, 20)], make_router=router(on_arrived=to_zero, on_start=at(0.035), on_woke=on_woke))
    assert seen == [(0.035, 0.035), ("past", 0.035)]
