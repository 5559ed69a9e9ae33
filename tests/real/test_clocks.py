"""Clocks: what a measured run decides follows from its durations alone, and drift of the machine is taken out."""

from functools import partial

import pytest

from realbackend.cluster import RealCluster
from realbackend.pace import MeasuredPace
from realbackend.wall import WallCluster
from simcore.contract import Shape
from simcore.simulator.settings import Mechanisms
from simcore.simulator.simulator import Simulator
from tests.real.runs import MS, cluster, requests, same_as_alone, settings

TRAFFIC = [(5 * i, 20 + i, 3 + i % 7) for i in range(20)]


class Stopwatch:
    """Seconds that go on by a step of its own for every piece of work."""

    def __init__(self, *steps: float) -> None:
        self.now = 0.0
        self.steps = steps
        self.works = 0

    def __call__(self) -> float:
        return self.now

    def work(self) -> None:
        self.now += self.steps[self.works % len(self.steps)]
        self.works += 1


class Timed:
    """An engine that takes its time by a stopwatch."""

    def __init__(self, watch, engine):
        self.watch, self.engine = watch, engine

    def run(self, work):
        self.watch.work()
        return self.engine.run(work)

    def __getattr__(self, name):
        return getattr(self.engine, name)


def measured(watch):
    from tests.real.hash_engine import HashEngine

    traffic = requests(*TRAFFIC)
    run = cluster(
        RealCluster,
        settings(),
        traffic,
        engine=lambda *sizes: Timed(watch, HashEngine(*sizes)),
        pace=MeasuredPace(clock=watch),
    )
    run.run()
    return run, traffic


def test_iterations_take_what_was_measured():
    run, traffic = measured(Stopwatch(0.004, 0.007, 0.013))
    took = [row[5] for row in traffic.kept["iterations"]]
    assert set(took) <= {4 * MS, 7 * MS, 13 * MS}
    assert len(run.generated) == len(TRAFFIC)
    assert same_as_alone(run)


def test_a_simulator_given_the_measured_durations_decides_the_same():
    _, real = measured(Stopwatch(0.004, 0.0071, 0.0133, 0.002))
    durations: dict[int, list[int]] = {0: [], 1: []}
    for row in real.kept["iterations"]:
        durations[row[0]].append(row[5])

    class Replaying(Simulator):
        def line_of(self, lane, permille):
            return partial(next_of, durations[lane.instance])

        def add_instance(self):
            instance = super().add_instance()
            for lane in instance.lanes:
                lane.line = self.line_of(lane, None)
            return instance

    def next_of(left, shape):
        return left.pop(0), 0, 1

    simulated = requests(*TRAFFIC)
    Replaying(settings(per_iteration=True), simulated, simulated).run()
    assert simulated.kept["decisions"] == real.kept["decisions"]
    assert durations == {0: [], 1: []}


def test_a_machine_that_slows_down_to_half_is_seen_through_by_its_probe():
    watch = Stopwatch(1.0)
    speed = [1.0]

    def do(units):
        watch.now += units / speed[0]

    pace, shape = MeasuredPace(clock=watch, probe=lambda: do(0.001), every=1), Shape()
    fast = [pace.timed(shape, lambda: do(0.010)) for _ in range(4)]
    speed[0] = 0.5
    slow = [pace.timed(shape, lambda: do(0.010)) for _ in range(8)]
    assert fast == [10 * MS] * 4
    assert slow[-1] == 10 * MS, "after a few probes the drift is known"
    assert slow[0] == 20 * MS, "the first slow ones are not"


class Failing:
    """An engine that has no memory left at its fifth iteration."""

    def __init__(self, engine):
        self.engine, self.left = engine, 5

    def run(self, work):
        self.left -= 1
        if not self.left:
            raise MemoryError("no room")
        return self.engine.run(work)

    def __getattr__(self, name):
        return getattr(self.engine, name)


def test_an_engine_that_fails_in_virtual_time_takes_only_its_instance_down(capsys):
    from tests.real.hash_engine import HashEngine

    made = []

    def engine(*sizes):
        made.append(HashEngine(*sizes))
        return Failing(made[-1]) if len(made) == 1 else made[-1]

    run = cluster(RealCluster, settings(), requests(*TRAFFIC), engine=engine)
    outcome = run.run()
    assert run.failures == ["instance 0 failed: MemoryError: no room"]
    assert "instance 0 failed" in capsys.readouterr().err
    assert outcome.finished == len(TRAFFIC)
    assert same_as_alone(run)


@pytest.mark.parametrize("kind", [RealCluster, WallCluster])
@pytest.mark.parametrize("ahead", [0, 1])
def test_a_text_ends_where_its_model_says_so(kind, ahead):
    full = cluster(RealCluster, settings(), requests(*TRAFFIC))
    full.run()
    ends = {full.generated[3][1], full.generated[6][0], full.generated[9][2]}
    run = cluster(kind, settings(mechanisms=Mechanisms(schedule_ahead=ahead)), requests(*TRAFFIC), ends=ends)
    outcome = run.run()
    assert outcome.finished == len(TRAFFIC)
    for request, tokens in full.generated.items():
        stops = [place for place, token in enumerate(tokens) if token in ends]
        assert run.generated[request] == (tokens[: stops[0] + 1] if stops else tokens)
    assert [len(run.generated[request]) for request in (3, 6, 9)] == [2, 1, 3]
