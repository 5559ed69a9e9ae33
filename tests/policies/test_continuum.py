"""Continuum and its baselines: who goes first, what is kept and for how long, and that nobody waits for ever."""

import random

import pytest

from policies.continuum import FOREVER_S, Continuum
from policies.continuum_oracle import ContinuumOracle
from policies.min_waste import MinWaste
from policies.plas import Plas
from policies.session_sticky import SessionSticky
from simcore.contract import (
    Arrived,
    Blocked,
    Cancelled,
    Finished,
    FirstToken,
    PinKV,
    Touch,
    TurnEnded,
    Unpin,
    WakeAt,
    Woke,
)
from simcore.simulator.settings import Fault, Mechanisms, Settings
from simcore.simulator.simulator import Simulator
from tests.policies.views import Ask, Lane, answer
from tests.property.cluster.traffic import MS, draw_traffic
from tests.property.draw import Flat
from tests.simulator.given import Row, both


def lane(*requests, now_s=0.0, pins=()):
    view = Lane(*requests, free_blocks=50)
    view.now_s, view.pins = now_s, dict(pins)
    return view


def turn(number, program, at_s, order=0, **more):
    """A request that waits, the `order`-th turn of its program."""
    return Ask(number, program=program, turn=order, arrival_s=at_s, state="waiting", **more)


def play(policy, request, ends_s, tool="bash", starts_s=None, pins=()):
    """Let a turn arrive, run, and end in a tool; return what the policy asks for at its end."""
    arrived = lane(request, now_s=request.arrival_s, pins=pins)
    answer(policy.on_arrived(arrived, Arrived(request.id)))
    request.scheduled_s = request.arrival_s if starts_s is None else starts_s
    answer(policy.on_first_token(lane(request, now_s=ends_s), FirstToken(request.id, 0)))
    over = lane(now_s=ends_s)
    answer(policy.on_finished(over, Finished(request.id, 0, 100)))
    return answer(policy.on_turn_ended(over, TurnEnded(request.id, request.program, tool)))


# -- the queue --------------------------------------------------------------------------------------------------------


def three(policy):
    """A was preempted, B is pinned, C is neither; their programs came at 9, 5 and 1 s."""
    play(policy, turn(0, 2, 5.0), ends_s=10.0)
    a, b, c = turn(1, 1, 9.0, preemptions=1), turn(2, 2, 11.0, 1), turn(3, 3, 1.0)
    view = lane(a, b, c, now_s=11.0, pins={2: 30.0})
    for request in (a, b, c):
        answer(policy.on_arrived(view, Arrived(request.id)))
    return [request.id for request in sorted((a, b, c), key=policy.order)]


def test_the_paper_puts_preempted_before_pinned_and_both_before_the_first_to_come():
    assert three(Continuum(ttl="fixed")) == [1, 2, 3]


def test_the_code_puts_pinned_first_and_knows_no_preempted():
    assert three(Continuum(ttl="fixed", order="code")) == [2, 3, 1]


def test_first_come_first_served_goes_by_the_number_of_the_request():
    policy = Continuum(order="fcfs")
    assert policy.order(turn(1, 1, 9.0)) == policy.order(turn(2, 2, 1.0))


def test_a_program_keeps_the_place_of_its_arrival_and_yields_by_it():
    policy = Continuum(ttl="zero")
    play(policy, turn(0, 1, 0.0), ends_s=5.0)
    old, new = turn(1, 1, 7.0, 1), turn(2, 2, 6.0)
    for request in (old, new):
        answer(policy.on_arrived(lane(old, new, now_s=7.0), Arrived(request.id)))
    assert policy.order(old) < policy.order(new)
    old.state = new.state = "running"
    assert policy.victim(lane(old, new)) == 2


def test_least_attained_service_puts_the_program_first_that_has_run_less():
    policy = Continuum(ttl="zero", order="plas")
    play(policy, turn(0, 1, 0.0), ends_s=4.0)
    play(policy, turn(1, 2, 0.0), ends_s=3.0, starts_s=2.0)
    again = [turn(2, 1, 5.0, 1), turn(3, 2, 6.0, 1)]
    assert [request.id for request in sorted(again, key=policy.order)] == [3, 2]


# -- how long ---------------------------------------------------------------------------------------------------------


def test_a_turn_without_a_call_is_the_last_and_is_not_kept():
    policy = Continuum(ttl="infinite")
    assert play(policy, turn(0, 1, 0.0), ends_s=4.0, tool="") == []
    assert not policy.programs


@pytest.mark.parametrize(
    ("arguments", "until_s"),
    [({"ttl": "fixed", "fixed_s": 3}, 7.0), ({"ttl": "code"}, 6.0), ({"ttl": "infinite"}, 4 + FOREVER_S)],
)
def test_a_turn_that_calls_a_tool_is_kept_for_its_time_to_live(arguments, until_s):
    assert play(Continuum(**arguments), turn(0, 1, 0.0), ends_s=4.0) == [PinKV(0, until_s)]


def test_nothing_is_kept_for_no_time():
    assert play(Continuum(ttl="zero"), turn(0, 1, 0.0), ends_s=4.0) == []


def test_the_benefit_is_the_wait_of_the_evicted_and_the_prefill():
    """200 tokens at 0.01 s each, and a wait of 6 s: B = 8 while eta is one; the prior keeps ln 8 s."""
    policy = Continuum(prefill_reload_s=[0, 0.01, 0])
    assert play(policy, turn(0, 1, 0.0), ends_s=1.0)[0].until_s == pytest.approx(1 + 0.693147), "ln 2"
    assert policy.waits.mean_s == 0, "a first turn was not evicted"
    (pin,) = play(policy, turn(1, 1, 3.0, 1), ends_s=10.0, starts_s=9.0)
    assert policy.waits.mean_s == 6
    assert policy.durations.everything == [2.0]
    assert pin.until_s == pytest.approx(10 + 2.0794415)


def test_what_came_back_in_time_did_not_wait_as_evicted():
    policy = Continuum(prefill_reload_s=[0, 0.01, 0])
    play(policy, turn(0, 1, 0.0), ends_s=1.0)
    play(policy, turn(1, 1, 1.5, 1), ends_s=10.0, starts_s=9.0, pins={1: 1.7})
    assert policy.waits.mean_s == 0


def test_a_pin_outlives_its_date_while_its_program_waits_but_not_its_tier():
    policy = Continuum(ttl="fixed")
    play(policy, turn(0, 1, 0.0), ends_s=1.0)
    back = turn(1, 1, 2.0, 1)
    view = lane(back, now_s=2.0, pins={1: 3.0})
    before = policy.order(back)
    assert answer(policy.on_arrived(view, Arrived(1))) == [PinKV(0, 2.0 + FOREVER_S), WakeAt(3.0, 1)]
    assert answer(policy.on_woke(view, Woke(1))) == [Touch(1)]
    assert policy.order(back) > before


def test_a_date_that_has_come_is_over():
    policy = Continuum(ttl="fixed")
    play(policy, turn(0, 1, 0.0), ends_s=1.0)
    assert policy.order(turn(1, 1, 2.999, 1)) < policy.order(turn(1, 1, 3.0, 1))


def test_the_oracle_keeps_what_comes_back_before_the_hit_is_worth_it():
    class Truth:
        def __init__(self, tool_s, last_turn=False):
            self.tool_s, self.last_turn = tool_s, last_turn

    def pins(truth):
        policy = ContinuumOracle(prefill_reload_s=[2, 0, 0])
        return [pin.until_s for pin in play(policy, turn(0, 1, 0.0, oracle=truth), ends_s=4.0)]

    assert pins(Truth(1.5)) == [pytest.approx(5.5, abs=1e-5)]
    assert pins(Truth(2.0)) == []
    assert pins(Truth(0.0, last_turn=True)) == []


def test_minimum_waste_keeps_for_as_long_as_giving_up_wastes_more():
    """F = 2 s of 200 tokens; 300 tokens of another would wait for it: 2 (1 + 300 / 200) = 5 s."""
    policy = MinWaste(prefill_reload_s=[0, 0.01, 0])
    request, other = turn(0, 1, 0.0), Ask(9, state="running", computed_tokens=300)
    answer(policy.on_arrived(lane(request), Arrived(0)))
    view = lane(other, now_s=1.0)
    answer(policy.on_finished(view, Finished(0, 0, 100)))
    assert answer(policy.on_turn_ended(view, TurnEnded(0, 1, "bash"))) == [PinKV(0, 6.0)]


# -- nothing can run, and what goes wrong -----------------------------------------------------------------------------


def blocked(order):
    """Programs that came at 3 and 7 s have pins that end at 50 and 40."""
    policy = Continuum(ttl="fixed", order=order)
    for number, (at_s, ends_s) in enumerate([(3.0, 48.0), (7.0, 38.0)]):
        play(policy, turn(number, number, at_s), ends_s=ends_s)
    head = turn(9, 9, 39.0)
    view = lane(head, now_s=39.0, pins={0: 50.0, 1: 40.0})
    answer(policy.on_arrived(view, Arrived(9)))
    return answer(policy.on_blocked(view, Blocked(0, 0, 9)))


def test_the_paper_breaks_the_pin_of_the_program_that_came_last_and_the_code_the_one_that_ends_last():
    assert blocked("paper") == [Unpin(1)]
    assert blocked("code") == [Unpin(0)]


def test_the_pin_of_the_blocked_program_is_broken_last():
    policy = Continuum(ttl="fixed")
    for number in (0, 1):
        play(policy, turn(number, number, float(number)), ends_s=2.0)
    back = turn(2, 1, 3.0, 1)
    view = lane(back, now_s=3.0, pins={0: 4.0, 1: 4.0})
    answer(policy.on_arrived(view, Arrived(2)))
    assert answer(policy.on_blocked(view, Blocked(0, 0, 2))) == [Unpin(0)]
    view.pins = {1: 4.0}
    assert answer(policy.on_blocked(view, Blocked(0, 0, 2))) == [Unpin(1), Touch(2)]
    assert answer(policy.on_blocked(lane(back), Blocked(0, 0, 2))) == []


def test_a_program_that_is_cancelled_gives_its_pin_up_and_is_forgotten():
    policy = Continuum(ttl="fixed")
    play(policy, turn(0, 1, 0.0), ends_s=1.0)
    view = lane(turn(1, 1, 2.0, 1), now_s=2.0, pins={1: 3.0})
    answer(policy.on_arrived(view, Arrived(1)))
    assert answer(policy.on_cancelled(view, Cancelled(1, "timeout"))) == [Unpin(1)]
    assert not policy.programs
    assert not policy.program_of


def test_a_tool_that_never_returns_holds_its_blocks_until_the_date():
    """32 tokens end at 10 ms in a call; what needs all four blocks comes at 15 and starts at 60."""
    rows = [Row(0, 32, 1, program=0), Row(0, 48, 1, program=0, turn=1, gap=5000), Row(15, 64, 1)]

    class Called(Continuum):
        def on_turn_ended(self, view, fact):
            return super().on_turn_ended(view, TurnEnded(fact.request, fact.program, "bash"))

        def on_blocked(self, view, fact):
            return ()

    how = {"make_scheduler": lambda: Called(ttl="fixed", fixed_s=0.05)}
    seen = both(rows, lambda notes: how, prefix_cache="cold", kv_blocks=4)
    assert [row[0] for row in seen.log if row[1] == "unpinned"][:1] == [60]
    assert seen.tokens[2] == [70]


def test_the_program_silent_for_longest_is_forgotten():
    policy = Continuum(ttl="fixed", remembered=2)
    for number in range(3):
        play(policy, turn(number, number, float(number)), ends_s=number + 0.5)
    assert list(policy.programs) == [1, 2]
    answer(policy.on_cancelled(lane(), Cancelled(0, "timeout")))


KINDS = {
    "paper": lambda: Continuum(max_num_batched_tokens=128, max_num_seqs=16),
    "code": lambda: Continuum(ttl="code", order="code", max_num_batched_tokens=128, max_num_seqs=16),
    "infinite": lambda: Continuum(ttl="infinite", max_num_batched_tokens=128, max_num_seqs=16),
    "infinite, least served first": lambda: Continuum(
        ttl="infinite", order="plas", max_num_batched_tokens=128, max_num_seqs=16
    ),
    "oracle": lambda: ContinuumOracle(prefill_reload_s=[9, 0, 0], max_num_batched_tokens=128, max_num_seqs=16),
    "min_waste": lambda: MinWaste(prefill_reload_s=[0, 0.1, 0], max_num_batched_tokens=128, max_num_seqs=16),
    "plas": lambda: Plas(edges_s=[0.02, 0.1], beta=3, every=2, max_num_batched_tokens=128, max_num_seqs=16),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("offload", [None, "ended"])
def test_every_program_ends_however_small_the_pool_and_nothing_leaks(kind, offload):
    """Tiny pools, many programs, clients that give up, an instance that dies with its pins: at any step length."""
    for seed in range(6):
        rnd = random.Random(seed)
        names = frozenset({"programs", "prefix"} | ({"clients"} if seed % 2 else set()))
        traffic = draw_traffic(rnd, names, 320, 16, tight=True)
        faults = (Fault("instance", 0, rnd.random() / 2, 0.1),) if seed % 3 == 0 else ()
        logs = []
        for per_iteration in (False, True):
            traffic.kept = {}
            settings = Settings(
                instances=rnd.choice([1, 2]) if not logs else logs[0][1],
                kv_blocks=20,
                cost=Flat(10 * MS, 0, 0, 0),
                make_router=SessionSticky,
                make_scheduler=KINDS[kind],
                mechanisms=Mechanisms(prefix_cache="cold", offload=offload, host_blocks=40 if offload else 0),
                faults=faults,
                oracle=frozenset({"tool_s", "last_turn"}),
                record_decisions=True,
                per_iteration=per_iteration,
            )
            simulator = Simulator(settings, traffic, traffic)
            outcome = simulator.run()
            where = f"{kind}, seed {seed}"
            assert outcome.unfinished == 0, where
            for instance in simulator.instances:
                instance.check()
                policy = instance.lanes[0].scheduler
                if not faults:  # of what is lost nobody tells a scheduler
                    assert not getattr(policy, "program_of", None), where
                    assert not getattr(policy, "calls", None), where
            logs.append((traffic.kept["decisions"], settings.instances))
        assert logs[0] == logs[1], where
