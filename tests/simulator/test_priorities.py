"""Priorities over epochs: when they change, who hears of it, and who goes first then. Iterations take 10 ms."""

from simcore.books.draw import seed_of
from simcore.books.priority_trace import PriorityTrace
from simcore.contract import Preempt
from simcore.simulator.settings import Priorities
from tests.simulator.given import Row, both
from tests.simulator.harness import scheduler

EPOCHS = {"priorities": Priorities("random", levels=100, every_iterations=25)}


def level(conversation, epoch):
    trace = PriorityTrace(seed=seed_of(0, 0, 3), pattern="random", levels=100, stay=0.8, every_iterations=25)
    return trace.level(conversation, epoch)


def noting(notes):
    def on_priority_changed(self, view, fact):
        seen = {r: view.requests[r].priority for r in view.running}
        notes.append((fact.epoch, view.iteration, round(view.now_s * 1000), seen))
        return ()

    return {"make_scheduler": scheduler(on_priority_changed=on_priority_changed)}


def test_a_lane_hears_of_new_priorities_every_so_many_iterations_in_few_steps():
    seen = both([Row(0, 16, 60)], noting, **EPOCHS)
    assert seen.notes == [(1, 25, 250, {0: level(-1, 1)}), (2, 50, 500, {0: level(-1, 2)})]
    assert seen.when("priorities") == [250, 500]
    assert seen.simulator.outcome.steps <= 4


def test_a_programs_turns_are_one_conversation():
    seen = both([Row(0, 16, 20, program=7), Row(0, 40, 20, program=7, turn=1)], noting, **EPOCHS)
    assert seen.notes == [(1, 25, 250, {1: level(7, 1)})]


def test_an_idle_lane_stays_in_its_epoch():
    seen = both([Row(0, 16, 20), Row(900, 16, 20)], noting, **EPOCHS)
    assert seen.notes == [(1, 25, 950, {1: level(-2, 1)})]


def test_who_waits_is_in_the_order_of_the_new_priorities():
    """One at a time; 30 tokens each, so that each change comes while one runs."""

    def build(notes):
        kind = scheduler(order=lambda self, request: request.priority)
        return {"make_scheduler": lambda: kind(max_num_seqs=1)}

    seen = both([Row(0, 16, 30) for _ in range(6)], build, **EPOCHS)
    waiting = set(range(6))
    for start in seen.when("admitted"):
        epoch = round(start / 10) // 25
        chosen = min(waiting, key=lambda request: (level(-1 - request, epoch), request))
        waiting.remove(chosen)
        assert seen.when("admitted", chosen) == [start]


def test_who_yields_to_new_priorities_leaves_at_their_boundary():
    def on_priority_changed(self, view, fact):
        return [Preempt(view.running[0])]

    seen = both(
        [Row(0, 16, 40)], lambda notes: {"make_scheduler": scheduler(on_priority_changed=on_priority_changed)}, **EPOCHS
    )
    assert seen.when("preempted") == [250]
    assert seen.prefills() == [(16, 0), (41, 0)]
