"""Macro-steps, one iteration at a time, block ids and the plain reference give the same run, bit for bit."""

import pytest

from tests.property.draw import ROUTERS, SCHEDULERS, check, draw

SEEDS = 480
GROUPS = 24


@pytest.mark.parametrize("group", range(GROUPS))
def test_drawn_runs_equal_the_reference_token_by_token(group):
    for seed in range(group, SEEDS, GROUPS):
        check(seed)


def test_the_drawn_set_meets_every_router_scheduler_and_mechanism():
    outcomes = [check(seed) for seed in range(60)]
    names = {draw(seed).system.name for seed in range(SEEDS)}
    assert {name.split("+")[0] for name in names} == set(ROUTERS)
    assert {name.split("+")[1] for name in names} == set(SCHEDULERS)
    assert sum(o.preemptions for o in outcomes) > 100
    assert sum(o.cuts for o in outcomes) > 20
    assert any(o.rejected for o in outcomes)
    assert any(o.cancelled for o in outcomes)
    assert sum(o.steps for o in outcomes) * 2 < sum(o.iterations for o in outcomes), "macro-steps are not at work"
