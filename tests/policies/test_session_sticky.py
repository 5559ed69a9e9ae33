"""Session sticky keeps programs at home, and remembers no more homes than it may."""

from typing import cast

import pytest

from policies.session_sticky import SessionSticky
from simcore.contract import Load
from tests.policies.views import Ask, Cluster, Server, sent


def test_a_later_turn_goes_home_however_busy_home_is():
    servers = [Server(0, running=1), Server(1)]
    view, policy = Cluster(servers, Ask(0, program=4), Ask(1, program=4, turn=1), Ask(2, program=5)), SessionSticky()
    assert sent(policy, view, 0) == 1, "the least loaded"
    servers[1].running = 50
    assert sent(policy, view, 1) == 1, "home"
    assert sent(policy, view, 2) == 0, "another program's first turn"


def test_a_request_of_no_program_goes_to_the_least_loaded_and_is_not_remembered():
    servers = [Server(0), Server(1)]
    view, policy = Cluster(servers, Ask(0), Ask(1)), SessionSticky()
    assert sent(policy, view, 0) == 0
    servers[0].waiting = 1
    assert sent(policy, view, 1) == 1
    assert not policy.homes


def test_the_load_is_that_which_was_asked_for():
    servers = [Server(0, running=9, waiting_tokens=10), Server(1, waiting_tokens=20)]
    assert sent(SessionSticky(load="waiting_tokens"), Cluster(servers, Ask(0, program=1)), 0) == 0
    with pytest.raises(ValueError, match=r"load must be one of requests, .*, got 'kv'"):
        SessionSticky(load=cast(Load, "kv"))


@pytest.mark.parametrize("change", [{"state": "down"}, {"state": "draining"}, {"role": "decode"}])
def test_a_program_whose_home_takes_no_prompts_finds_a_new_one_and_stays_there(change):
    servers = [Server(0), Server(1, running=3), Server(2, running=5)]
    view, policy = Cluster(servers, *(Ask(turn, program=4, turn=turn) for turn in range(3))), SessionSticky()
    assert sent(policy, view, 0) == 0
    for name, value in change.items():
        setattr(servers[0], name, value)
    servers[0].running = 9
    assert sent(policy, view, 1) == 1
    servers[0].state, servers[0].role, servers[0].running = "up", "mixed", 0
    assert sent(policy, view, 2) == 1, "it does not go back"


def test_the_program_silent_for_longest_is_forgotten_first():
    servers = [Server(0), Server(1)]
    view = Cluster(servers, *(Ask(i, program=program) for i, program in enumerate([7, 8, 7, 9, 8, 7])))
    policy = SessionSticky(programs=2)
    assert [sent(policy, view, request) for request in (0, 1)] == [0, 0]
    servers[0].running = 5
    assert sent(policy, view, 2) == 0, "7 is known, and now 8 is the silent one"
    assert sent(policy, view, 3) == 1, "9 takes the place of 8"
    assert list(policy.homes) == [7, 9]
    assert sent(policy, view, 4) == 1, "8 is new here, and 7 is forgotten"
    assert list(policy.homes) == [9, 8]
    with pytest.raises(ValueError, match="programs must be >= 1, got 0"):
        SessionSticky(programs=0)
