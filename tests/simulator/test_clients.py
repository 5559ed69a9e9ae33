"""Clients: turns of programs follow each other; who waits too long gives up; full queues refuse. 10 ms an iteration."""

import pytest

from policies.vllm_v1 import VllmV1
from simcore.contract import Abort, Cancelled, Finished, Patience, Reject, Rejected, TurnEnded
from simcore.contract import decisions as log
from simcore.simulator import Mechanisms
from tests.simulator.harness import scheduler
from tests.simulator.watcher import Turns, Watcher, run_both

MS = 10**9


class Hearing(Watcher):
    """Notes ends of turns too."""

    on_turn_ended = Watcher.note


def program(*turns, tools=None, at_ms=0, number=0):
    """Return rows and columns of one program: (prompt, output, gap in ms) of each turn."""
    rows = [(at_ms * MS, prompt, output) for prompt, output, _ in turns]
    columns = {
        "program": [number] * len(turns),
        "turn": list(range(len(turns))),
        "gap_ps": [int(gap * MS) for *_, gap in turns],
        "tool": tools or [-1] * len(turns),
    }
    return rows, columns


def together(*programs):
    rows = [row for part, _ in programs for row in part]
    columns = {name: [x for _, part in programs for x in part[name]] for name in programs[0][1]}
    return Turns(rows, columns=columns)


def patient(rows, first_token_ms=None, end_ms=None, **columns):
    patience = Patience(
        None if first_token_ms is None else first_token_ms * MS, None if end_ms is None else end_ms * MS
    )
    return Turns([(at * MS, prompt, output) for at, prompt, output in rows], patience=(patience,), columns=columns)


def arrivals(ran):
    return [(at, request) for at, _, request, _ in ran.kinds(log.ARRIVED)]


# -- turns ------------------------------------------------------------------------------------------------------------


def test_a_turn_arrives_its_gap_after_the_last_token_of_the_one_before():
    ran = run_both(together(program((8, 3, 0), (12, 2, 25), (16, 1, 0))), Watcher)
    assert arrivals(ran) == [(0, 0), (55, 1), (75, 2)]
    assert ran.tokens == {0: [10, 20, 30], 1: [65, 75], 2: [85]}
    assert ran.outcome.arrived == ran.outcome.finished == 3
    assert ran.outcome.counters["programs_finished"] == 1


def test_the_end_of_each_turn_is_told_after_the_request_has_finished():
    rows, columns = program((8, 1, 0), (12, 1, 5), tools=[1, -1], number=4)
    ran = run_both(Turns(rows, columns=columns, tools=("search", "shell")), Hearing)
    assert ran.facts(Finished, TurnEnded) == [
        (10, Finished(0, 0, 1)),
        (10, TurnEnded(0, 4, "shell")),
        (25, Finished(1, 0, 1)),
        (25, TurnEnded(1, 4, "")),
    ]


def test_a_turn_s_arrival_is_the_date_it_is_sent():
    ran = run_both(together(program((8, 3, 0), (12, 2, 25))), Watcher)
    assert ran.simulator.ended_requests[1].arrival_ps == 55 * MS


def test_later_turns_of_one_instant_arrive_by_id_after_first_turns():
    # Both programs end their first turn at 20 ms, the later one first: its lane comes before.
    rows, columns = program((8, 2, 0), (8, 1, 10), number=0)
    more_rows, more_columns = program((8, 2, 0), (8, 1, 10), number=1)
    single_rows, single_columns = program((8, 1, 0), at_ms=30, number=2)
    workload = together((rows, columns), (more_rows, more_columns), (single_rows, single_columns))
    ran = run_both(workload, lambda: Watcher(lambda view, request: {0: 1, 2: 0}.get(request, 0)), instances=2)
    assert arrivals(ran) == [(0, 0), (0, 2), (30, 4), (30, 1), (30, 3)]


@pytest.mark.parametrize("how", ["rejected", "cancelled", "timed out"])
def test_a_program_is_abandoned_when_a_turn_does_not_finish(how):
    rows, columns = program((8, 9, 0), (12, 2, 5), (16, 1, 5))
    if how == "timed out":
        columns["cancel_ps"] = [25 * MS, -1, -1]

    class Rejecting(Watcher):
        def on_arrived(self, view, fact):
            return (Reject(fact.request),)

    make = {
        "rejected": Rejecting,
        "cancelled": lambda: Watcher(script={15: (Abort(0),)}),
        "timed out": Watcher,
    }[how]
    ran = run_both(Turns(rows, columns=columns), make)
    assert ran.outcome.arrived == 1
    assert ran.outcome.counters["programs_abandoned"] == 1
    assert "programs_finished" not in ran.outcome.counters
    assert ran.facts(TurnEnded) == []


def test_a_run_goes_on_while_a_program_thinks():
    ran = run_both(together(program((8, 1, 0), (8, 1, 10_000))), Watcher, sample_s=4.0)
    assert ran.tokens[1] == [10_020]
    assert [row[0] // MS for row in ran.samples] == [0, 4000, 8000]


def test_with_schedule_ahead_the_gap_counts_from_the_last_token_and_never_ends_before_it_is_told():
    # The last token comes at 20 ms and is told at 30 ms.
    for gap_ms, arrives in ((5, 30), (25, 45)):
        ran = run_both(together(program((8, 2, 0), (8, 1, gap_ms))), Watcher, mechanisms=Mechanisms(schedule_ahead=1))
        assert arrivals(ran)[1] == (arrives, 1)


# -- giving up --------------------------------------------------------------------------------------------------------


def one_at_a_time():
    return VllmV1(max_num_seqs=1)


def test_who_waits_is_given_up_at_once():
    ran = run_both(patient([(0, 8, 9), (0, 8, 2)], first_token_ms=85), Watcher, make_scheduler=one_at_a_time)
    assert ran.facts(Cancelled) == [(85, Cancelled(1, "timeout"))]
    assert ran.tokens == {0: [10, 20, 30, 40, 50, 60, 70, 80, 90]}


def test_who_runs_is_stopped_at_the_next_boundary():
    ran = run_both(patient([(0, 8, 9)], end_ms=33), Watcher)
    assert ran.kinds(log.TIMED_OUT, log.ABORTED) == [(33, -1, 0, 2), (40, 0, 0, 0)]
    assert ran.facts(Cancelled) == [(40, Cancelled(0, "timeout"))]
    assert (ran.outcome.cancelled, ran.outcome.end_ps) == (1, 40 * MS)
    assert ran.outcome.counters["timed_out"] == 1


def test_who_finishes_at_that_boundary_is_not_stopped():
    ran = run_both(patient([(0, 8, 4)], end_ms=33), Watcher)
    assert ran.tokens[0] == [10, 20, 30, 40]
    assert ran.outcome.cancelled == 0


def test_a_first_token_in_time_ends_the_patience_for_it():
    ran = run_both(patient([(0, 8, 9), (0, 8, 9)], first_token_ms=20), Watcher, make_scheduler=one_at_a_time)
    assert ran.tokens == {0: [10, 20, 30, 40, 50, 60, 70, 80, 90]}
    assert ran.kinds(log.TIMED_OUT) == [(20, -1, 1, 1)]
    assert ran.facts(Cancelled) == [(20, Cancelled(1, "timeout"))]


def test_a_request_s_own_client_cancels_it():
    ran = run_both(patient([(0, 8, 9), (10, 8, 9)], cancel_ps=[-1, 15 * MS]), Watcher)
    assert ran.facts(Cancelled) == [(30, Cancelled(1, "client"))]
    assert ran.kinds(log.TIMED_OUT) == [(25, -1, 1, 0)]
    assert len(ran.tokens[0]) == 9


def test_what_nobody_routes_is_given_up_too():
    ran = run_both(patient([(0, 8, 9)], end_ms=33), lambda: Watcher(lambda view, request: None))
    assert ran.facts(Cancelled) == [(33, Cancelled(0, "timeout"))]
    assert ran.outcome.unfinished == 0


def test_who_gives_up_at_one_instant_goes_by_id():
    rows = patient([(0, 8, 9), (0, 8, 9), (0, 8, 9)], first_token_ms=5)
    ran = run_both(rows, lambda: Watcher(lambda view, request: None))
    assert [fact.request for _, fact in ran.facts(Cancelled)] == [0, 1, 2]


def test_time_outs_come_before_timers_of_that_instant():
    script = {33: (Abort(0),)}
    ran = run_both(patient([(0, 8, 9)], end_ms=33), lambda: Watcher(script=script))
    # The client's comes first and is carried out; the router's finds nothing.
    assert [fact for _, fact in ran.facts(Cancelled)] == [Cancelled(0, "timeout")]
    assert ran.kinds(log.OVERTAKEN) == [(40, -1, 0, -1)]


def test_a_patience_counts_from_the_turn_s_own_arrival():
    rows, columns = program((8, 3, 0), (8, 9, 100))
    ran = run_both(Turns(rows, columns=columns, patience=(Patience(None, 50 * MS),)), Watcher)
    assert arrivals(ran)[1] == (130, 1)
    assert ran.facts(Cancelled) == [(180, Cancelled(1, "timeout"))]


# -- full queues ------------------------------------------------------------------------------------------------------


def test_a_dispatch_to_a_full_queue_is_refused():
    ran = run_both(
        [(0, 8, 9), (5, 8, 2), (6, 8, 2), (7, 8, 2), (95, 8, 1)],
        Watcher,
        make_scheduler=one_at_a_time,
        mechanisms=Mechanisms(max_waiting=2),
    )
    assert ran.facts(Rejected) == [(7, Rejected(3, "queue_full"))]
    assert ran.kinds(log.REJECT) == [(7, -1, 3, 2)]
    assert (ran.outcome.rejected, ran.outcome.finished) == (1, 4)
    assert ran.outcome.counters == {"queue_full": 1}


def test_whoever_runs_does_not_count_as_waiting():
    ran = run_both([(0, 8, 9), (5, 8, 2)], Watcher, mechanisms=Mechanisms(max_waiting=1))
    assert ran.outcome.rejected == 0


def test_a_program_whose_turn_is_refused_is_abandoned():
    blocker = program((8, 9, 0), number=0)
    refused = program((8, 1, 0), (8, 1, 0), at_ms=5, number=1)
    ran = run_both(together(blocker, refused), Watcher, mechanisms=Mechanisms(max_waiting=0))
    assert ran.outcome.rejected == 2, "nobody may wait, so nobody is admitted"
    assert ran.outcome.counters["programs_abandoned"] == 2


def test_time_outs_and_turns_are_the_same_with_a_scheduler_that_reorders():
    local = scheduler(order=lambda s, request: -request.id)
    programs = [program((8, 3, 0), (8, 4, 15), number=n, at_ms=n) for n in range(6)]
    workload = together(*programs)
    workload.patience = (Patience(40 * MS, 90 * MS),)
    ran = run_both(workload, Watcher, make_scheduler=lambda: local(max_num_seqs=2))
    assert ran.outcome.cancelled > 0
    assert ran.outcome.finished > 0
