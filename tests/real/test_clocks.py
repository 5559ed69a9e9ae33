"""Clocks: what a measured run decides follows from its durations alone, and drift of the machine is taken out."""

from functools import partial

from realbackend.cluster import RealCluster
from realbackend.pace import MeasuredPace
from simcore.contract import Shape
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
