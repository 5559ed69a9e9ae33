"""Admission: who is asked again, and when, and who is looked at next."""

import pytest

from policies.vllm_v1 import VllmV1
from simcore.contract import Abort, IllegalAction, Touch, WakeAfter, WakeAt
from tests.simulator.harness import MS, STEP, admissions, at, router, run, scheduler, to_zero


def test_when_a_held_head_is_aborted_the_next_is_asked():
    local = scheduler(admit=lambda s, v, r: "hold" if r.id == 1 and v.running else "yes")
    kinds = router(on_arrived=to_zero, on_start=at(0.045), on_woke=lambda s, v, f: (Abort(1),))
    done = run([(0, 8, 30)] * 3, make_router=kinds, make_scheduler=local, record_decisions=True)
    assert admissions(done) == [(0, 0), (5, 2)]


def test_when_a_running_request_is_aborted_the_declined_are_asked():
    local = scheduler(admit=lambda s, v, r: "no" if len(v.running) >= 2 else "yes")
    kinds = router(on_arrived=to_zero, on_start=at(0.045), on_woke=lambda s, v, f: (Abort(1),))
    done = run([(0, 8, 30)] * 3, make_router=kinds, make_scheduler=local, record_decisions=True)
    assert admissions(done) == [(0, 0), (0, 1), (5, 2)]


def test_a_stepped_asks_the_declined_again():
    asked = []

    def admit(self, view, request):
        asked.append((round(view.now_s * 100), request.id))
        return "no" if request.id and view.iteration < 4 else "yes"

    run([(0, 8, 30)] * 2, make_scheduler=scheduler(admit=admit, on_start=lambda s, v: (WakeAfter(5),)))
    assert asked == [(0, 0), (0, 1), (5, 1)]


def test_declined_stays_declined_when_the_next_in_order_does_not_fit():
    asked = []

    def admit(self, view, request):
        asked.append((round(view.now_s * 100), request.id))
        return "no" if request.id == 1 else "yes"

    done = run(
        [(0, 16, 6), (25 * MS, 16, 2), (25 * MS, 160, 2)],  # request 0 holds 2 of 11 blocks by then
        kv_blocks=11,
        make_scheduler=scheduler(admit=admit, on_start=lambda s, v: (WakeAfter(4),)),
        per_iteration=True,
    )
    # When 1 and 2 have arrived; after the `Stepped`; when 0 has finished: not at every boundary.
    assert [row for row in asked if row[1] == 1][:3] == [(3, 1), (4, 1), (6, 1)]
    assert done["outcome"].unfinished == 1


def test_a_scheduler_that_admits_reserves_whole_prompts_too():
    local = scheduler(admit=lambda s, v, r: "yes")

    def late(reserve):
        limits = {"max_num_batched_tokens": 32, "max_num_seqs": 4, "reserve_full_prompt": reserve}
        rows = [(0, 16, 30), (2 * STEP + 1, 96, 2)]
        done = run(rows, kv_blocks=7, make_scheduler=lambda: local(**limits), record_decisions=True)
        return admissions(done)[1][0]

    # Request 0 holds 2 of 7 blocks: a first chunk of 2 fits, the whole prompt of 6 does not.
    assert late(False) == 3
    assert late(True) == 30


def test_when_a_blocked_head_is_aborted_the_next_starts_at_the_next_boundary():
    kinds = router(on_arrived=to_zero, on_start=at(0.045), on_woke=lambda s, v, f: (Abort(1),))
    rows = [(0, 16, 60), (25 * MS, 160, 2), (25 * MS, 16, 2)]  # request 0 holds 2 of 11 blocks by then
    done = run(rows, kv_blocks=11, make_router=kinds, record_decisions=True)
    assert admissions(done) == [(0, 0), (5, 2)]


def test_a_touched_request_is_ordered_anew_and_looked_at_at_the_next_boundary():
    class Moody(VllmV1):
        def __init__(self, **limits):
            super().__init__(**limits)
            self.urgent = None

        def order(self, request):
            return request.id != self.urgent

        def on_start(self, view):
            return (WakeAt(0.045, 0),)

        def on_woke(self, view, fact):
            self.urgent = 2
            return (Touch(2),)

    rows = [(0, 16, 60), (25 * MS, 160, 2), (25 * MS, 16, 2)]  # request 0 holds 2 of 11 blocks by then
    done = run(rows, kv_blocks=11, make_scheduler=Moody, record_decisions=True)
    assert admissions(done)[:2] == [(0, 0), (5, 2)]


def test_a_touched_request_is_asked_about_again():
    asked = []

    class Moody(VllmV1):
        def order(self, request):
            return 0

        def admit(self, view, request):
            asked.append((round(view.now_s * 100), request.id))
            return "no" if request.id else "yes"

        def on_start(self, view):
            return (WakeAt(0.045, 0),)

        def on_woke(self, view, fact):
            return (Touch(1),)

    run([(0, 8, 10), (0, 8, 2)], make_scheduler=Moody)
    assert asked[:4] == [(0, 0), (0, 1), (5, 1), (10, 1)]


@pytest.mark.parametrize("number", [0, 77])
def test_touching_who_does_not_wait_here_is_illegal(number):
    local = scheduler(order=lambda s, r: 0, on_start=at(0.035), on_woke=lambda s, v, f: (Touch(number),))
    with pytest.raises(IllegalAction, match="must be waiting on instance 0"):
        run([(0, 8, 20)], make_scheduler=local)
