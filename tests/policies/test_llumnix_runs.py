"""Llumnix at work: whole runs with migrations, drains, boots and failures, in macro-steps and one by one."""

import random
from functools import partial
from typing import Any

import pytest

from policies.llumnix import Llumnix
from policies.llumnix_scheduler import LlumnixScheduler
from policies.migrate_once import MigrateOnce
from simcore.contract import decisions as log
from simcore.simulator import Mechanisms
from simcore.simulator.settings import Fault
from tests.property.draw import Flat
from tests.simulator.harness import MS, run

COST = Flat(8 * MS, 2 * 10**7, 3 * 10**7, 2 * 10**4)
SCHEDULER = partial(LlumnixScheduler, max_num_batched_tokens=512)


def bursts(seed, requests=60):
    """Rows (at_ps, prompt, output) that come in bursts and are sometimes long: 100 blocks of 16 tokens fill up."""
    drawn = random.Random(seed)
    at_ps, rows = 0, []
    for _ in range(requests):
        at_ps += drawn.choice([0, 0, 5, 400]) * MS
        rows.append((at_ps, drawn.choice([20, 60, 400]), drawn.choice([5, 40, 300])))
    return rows


def both(router, rows, *, migration="multistage", report_s=None, faults=(), **settings: Any):
    """Run in macro-steps and per iteration; return the first, having found the second to be equal."""
    runs = [
        run(
            rows,
            instances=3,
            kv_blocks=100,
            cost=COST,
            make_router=router,
            make_scheduler=SCHEDULER,
            mechanisms=Mechanisms(migration=migration),
            record_decisions=True,
            boot_s=0.1,
            report_s=report_s,
            faults=faults,
            per_iteration=per_iteration,
            **settings,
        )
        for per_iteration in (False, True)
    ]
    macro, single = runs
    assert macro["rows"]["decisions"] == single["rows"]["decisions"]
    assert macro["requests"] == single["requests"]
    for instance in macro["simulator"].instances:
        instance.check()
        assert instance.free_blocks == 100, "nothing is held or reserved at the end"
    return macro


def times(done, kind):
    return sum(row[2] == kind for row in done["rows"]["decisions"])


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("variant", ["paper", "artifact"])
@pytest.mark.parametrize("migration", ["recompute", "blocking", "two_stage", "multistage"])
def test_requests_move_and_all_of_them_end(variant, migration, seed):
    router = partial(Llumnix, variant=variant, source_below=6, destination_above=6, period_s=0.05)
    done = both(router, bursts(seed), migration=migration)
    assert done["outcome"].finished == 60
    assert done["outcome"].counters["migrations"] > 0


@pytest.mark.parametrize("variant", ["paper", "artifact"])
def test_a_fleet_grows_and_shrinks_and_loses_nothing(variant):
    router = partial(
        Llumnix, variant=variant, max_instances=5, scale_below=8, scale_above=30, first_scale_s=0.3, scale_period_s=0.1
    )
    done = both(router, bursts(4, requests=100))
    assert done["outcome"].finished == 100
    assert times(done, log.UP) > 0
    assert times(done, log.DOWN) > 0


def test_a_drain_takes_less_time_where_requests_leave():
    # One long request on each of three instances; the last one is to go.
    rows = [(0, 100, 900), (0, 100, 900), (0, 100, 900)]
    scaled: dict[str, Any] = {
        "max_instances": 3,
        "variant": "artifact",
        "scale_above": 3,
        "scale_below": 2,
        "first_scale_s": 0.5,
    }
    gone_ms = []
    for migrate in (True, False):
        done = both(partial(Llumnix, migrate=migrate, **scaled), rows)
        gone_ms.append(next(row[0] for row in done["rows"]["decisions"] if row[2:3] == (log.DOWN,)) // MS)
    assert gone_ms[0] < 700
    assert gone_ms[1] > 7000, "900 iterations of more than 8 ms"


def test_instances_that_fail_while_requests_move_lose_nothing():
    faults = (Fault("instance", 0, at_s=1.65, for_s=0.3), Fault("instance", 1, at_s=3.27, for_s=0.3))
    router = partial(Llumnix, source_below=6, destination_above=6, period_s=0.02)
    done = both(router, bursts(2), faults=faults)
    assert done["outcome"].finished == 60
    assert done["outcome"].counters["instances_failed"] == 2
    assert done["outcome"].counters["migrations"] > 0
    assert not done["simulator"].router.migrating


def test_requests_are_placed_in_turn_while_the_router_is_down_and_move_again_when_it_is_back():
    faults = (Fault("router", -1, at_s=2.0, for_s=0.5),)
    done = both(partial(Llumnix, source_below=6, destination_above=6, period_s=0.02), bursts(7), faults=faults)
    assert done["outcome"].finished == 60
    asked_ms = [row[0] // MS for row in done["rows"]["decisions"] if row[2] == log.MIGRATE]
    assert min(asked_ms) < 2000
    assert max(asked_ms) > 2500
    assert not [at_ms for at_ms in asked_ms if 2000 < at_ms < 2500]


@pytest.mark.parametrize("variant", ["paper", "artifact"])
def test_with_old_reports_picks_may_be_wrong_and_are_never_illegal(variant):
    router = partial(Llumnix, variant=variant, source_below=6, destination_above=6, period_s=0.02)
    done = both(router, bursts(6), report_s=0.5)
    assert done["outcome"].finished == 60
    assert done["outcome"].counters["migrations"] > 0
    assert done["outcome"].counters["migrations_aborted"] > 0


def test_migrate_once_moves_every_request_that_lives_long_enough_once():
    done = both(partial(MigrateOnce, after_s=0.2), [(0, 20, 100), (2000 * MS, 20, 100), (4000 * MS, 20, 3)])
    assert done["outcome"].counters["migrations"] == 2
