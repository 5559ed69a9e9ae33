"""Wall: engines in threads, in real time: every request ends, with the tokens it generates alone, whatever fails."""

import time

import pytest

from realbackend.wall import WallCluster
from simcore.simulator.mock import mock
from simcore.simulator.settings import Mechanisms
from tests.real.hash_engine import HashEngine
from tests.real.runs import cluster, requests, same_as_alone, settings
from tests.simulator.balancing import Balancing, NewestLeaves


class Slow(HashEngine):
    """Takes half a millisecond an iteration, so that work piles up."""

    def run(self, work):
        time.sleep(0.0005)
        return super().run(work)


TIGHT = {"kv_blocks": 12, "block_tokens": 4}
BURST = [(i, 6 + i % 5, 4 + i % 9) for i in range(40)]


@pytest.mark.parametrize(
    "mechanisms",
    [
        Mechanisms(),
        Mechanisms(prefix_cache="cold"),
        Mechanisms(preemption="swap", host_blocks=40),
        Mechanisms(preemption="swap", swap="async", host_blocks=40),
        Mechanisms(schedule_ahead=1),
        Mechanisms(sm_split=(50, 50)),
    ],
    ids=["plain", "prefix cache", "swap", "swap asynchronously", "schedule ahead", "two lanes"],
)
def test_every_request_ends_with_its_own_tokens(mechanisms):
    traffic = requests(*BURST)
    run = cluster(WallCluster, settings(mechanisms=mechanisms, **TIGHT), traffic, engine=Slow)
    outcome = run.run()
    assert outcome.finished == len(BURST) == len(run.generated)
    assert same_as_alone(run)
    assert all(len(tokens) == BURST[r][2] for r, tokens in run.generated.items())


def test_requests_are_handed_from_prefill_to_decode_instances():
    traffic = requests(*BURST)
    from policies.disaggregated import Disaggregated

    given = settings(roles=("prefill", "decode"), make_router=Disaggregated, kv_blocks=60)
    run = cluster(WallCluster, given, traffic, engine=Slow)
    outcome = run.run()
    assert outcome.counters["handoffs"] > 20
    assert same_as_alone(run)


@pytest.mark.parametrize("kind", ["recompute", "blocking", "multistage"])
def test_requests_move_between_engines_that_run(kind):
    mechanisms = Mechanisms(prefix_cache="cold", migration=kind, migration_slots=4, migration_last_blocks=1)
    given = settings(
        mechanisms=mechanisms,
        make_router=lambda: Balancing(period_s=0.002, least_blocks=0),
        make_scheduler=NewestLeaves,
        kv_blocks=40,
        block_tokens=4,
    )
    run = cluster(WallCluster, given, requests(*((at, prompt, 40) for at, prompt, _ in BURST)), engine=Slow)
    outcome = run.run()
    assert outcome.finished == len(BURST)
    assert outcome.counters["migrations"] > 0
    assert same_as_alone(run)


class Breaking(Slow):
    """The second one made fails at its tenth iteration."""

    made = 0

    def __init__(self, *sizes):
        super().__init__(*sizes)
        type(self).made += 1
        self.left = 10 if type(self).made == 2 else 10**9

    def run(self, work):
        self.left -= 1
        if not self.left:
            raise MemoryError("no room for 7 more blocks")
        return super().run(work)


@pytest.mark.parametrize("lost", ["requeued", "failed"])
def test_an_engine_that_fails_takes_its_instance_down_and_the_others_go_on(lost, capsys):
    Breaking.made = 0
    run = cluster(WallCluster, settings(mechanisms=Mechanisms(lost=lost)), requests(*BURST), engine=Breaking)
    outcome = run.run()
    assert run.failures == ["instance 1 failed: MemoryError: no room for 7 more blocks"]
    assert "instance 1 failed: MemoryError" in capsys.readouterr().err
    assert outcome.finished + outcome.failed == outcome.arrived == len(BURST)
    assert (outcome.failed == 0) == (lost == "requeued")
    assert same_as_alone(run)


def test_a_mock_takes_the_time_that_a_simulation_says():
    traffic = requests((0, 10, 5), (100, 10, 5))
    begin = time.monotonic()
    outcome = mock(settings(), traffic, traffic)
    took_s = time.monotonic() - begin
    assert outcome.finished == 2
    assert 0.15 <= took_s < 5, "arrivals at 0 and 100 ms, then five iterations of 10 ms"
    ended = [row[7] for row in traffic.kept["requests"]]
    assert ended == [50 * 10**9, 150 * 10**9], "dates are those of the simulation, however late it was"
