"""Transport: KV moves in few copies, beside the iterations that do not need it, and before those that do."""

from collections import Counter
from functools import partial
from typing import Any, ClassVar

import pytest

from tests.real.torch_here import CPU, torch

from kernels import ops_on  # isort: skip
from policies.disaggregated import Disaggregated  # isort: skip
from realbackend.device import Device  # isort: skip
from realbackend.in_flight import InFlight  # isort: skip
from realbackend.model.weights import load_decoder  # isort: skip
from realbackend.transport import HostCopy, LocalCopy, PeerCopy, runs_of  # isort: skip
from realbackend.wall import WallCluster  # isort: skip
from realbackend.work import Work  # isort: skip
from realbackend.worker import Worker  # isort: skip
from simcore.simulator.settings import Mechanisms  # isort: skip
from simcore.simulator.wall_clock import WallClock  # isort: skip
from tests.real.hash_engine import HashEngine  # isort: skip
from tests.real.runs import cluster, requests, same_as_alone, settings  # isort: skip
from tests.real.torch_here import engine_of  # isort: skip


@pytest.mark.parametrize(
    ("theirs", "ours", "runs"),
    [
        ([], [], []),
        ([7], [2], [(7, 2, 1)]),
        ([4, 5, 6], [0, 1, 2], [(4, 0, 3)]),
        ([4, 5, 6], [2, 1, 0], [(4, 2, 1), (5, 1, 1), (6, 0, 1)]),
        ([1, 2, 3, 4], [5, 6, 8, 9], [(1, 5, 2), (3, 8, 2)]),
        ([9, 3, 4], [0, 1, 2], [(9, 0, 1), (3, 1, 2)]),
    ],
)
def test_neighbours_in_both_pools_are_copied_at_once(theirs, ours, runs):
    assert runs_of(theirs, ours) == runs


class Seen:
    """Operations that count the copies of blocks."""

    def __init__(self):
        self.ops = ops_on(CPU)
        self.copies = 0

    def copy_blocks(self, *given):
        self.copies += 1
        self.ops.copy_blocks(*given)


def counting() -> Any:
    return Seen()


def transports() -> dict[str, Any]:
    stream = Device(CPU).stream()
    return {"host": HostCopy(stream), "local": LocalCopy(stream, counting()), "peer": PeerCopy(stream)}


@pytest.mark.parametrize("way", transports())
def test_every_way_copies_the_blocks_it_is_told_and_no_other(way):
    source, target = torch.arange(20.0).view(10, 2), torch.zeros(6, 2)
    copy = transports()[way].copy(source, [9, 3, 4], target, [5, 0, 1], [])
    assert copy.done()
    assert target.tolist() == [[6, 7], [8, 9], [0, 0], [0, 0], [0, 0], [18, 19]]


def test_many_small_blocks_are_copied_by_one_kernel_and_long_runs_by_copy_engines():
    small, large = torch.zeros(6, 4), torch.zeros(2, 1 << 18)
    seen = counting()
    local = LocalCopy(Device(CPU).stream(), seen)
    local.copy(large, [0, 1], torch.zeros_like(large), [1, 0], [])
    assert seen.copies == 0
    local.copy(small, [0, 2, 4], torch.zeros_like(small), [5, 3, 1], [])
    assert seen.copies == 1


# -- who waits for whom ----------------------------------------------------------------------------------------------


class UnderWay:
    """A copy that ends when it is waited for."""

    def __init__(self):
        self.ended = False

    def done(self):
        return self.ended

    def wait(self):
        self.ended = True


def test_only_copies_under_way_that_touch_a_block_are_waited_for():
    blocks, first, second = InFlight(), UnderWay(), UnderWay()
    blocks.add([1, 2], first)
    blocks.add([3], second)
    assert blocks.touching([2, 9]) == [first]
    assert blocks.touching([4]) == []
    first.wait()
    assert blocks.touching([2, 3]) == [second]
    second.wait()
    assert blocks.touching([3]) == []
    assert not blocks


@pytest.fixture(scope="module")
def decoder():
    return load_decoder("random:nano", device=CPU, dtype=torch.float32)


def finished(copy):
    assert copy is not None
    assert copy.done()


def test_an_iteration_waits_for_the_copies_of_its_blocks_alone(decoder):
    engine, elsewhere, here = engine_of(decoder, blocks=4), UnderWay(), UnderWay()
    engine.kv.moving.add([3], elsewhere)
    engine.kv.moving.add([1], here)
    engine.run([Work(0, 0, [5], [0], True)])
    assert (elsewhere.ended, here.ended) == (False, False)
    engine.run([Work(0, 16, [5], [0, 1], True)])
    assert (elsewhere.ended, here.ended) == (False, True)


def test_a_copy_waits_for_earlier_copies_of_the_same_blocks_here_and_on_the_host(decoder):
    engine = engine_of(decoder, blocks=4, host_blocks=4)
    engine.kv.pool[0] = 7.0
    device, host, other = UnderWay(), UnderWay(), UnderWay()
    engine.kv.moving.add([0], device)
    engine.kv.host_moving.add([2], host)
    engine.kv.host_moving.add([3], other)
    finished(engine.copy_out([0], [2]))
    assert (device.ended, host.ended, other.ended) == (True, True, False)
    finished(engine.copy_in([2], [3]))
    assert (engine.kv.pool[3] == 7.0).all()
    assert engine.copy_in([], []) is None


def test_blocks_are_fetched_from_another_engine(decoder):
    source, target = engine_of(decoder, blocks=3), engine_of(decoder, blocks=3)
    source.kv.pool[2] = 5.0
    finished(target.fetch(source, [2, 0], [0, 1]))
    assert (target.kv.pool[0] == 5.0).all()
    assert (target.kv.pool[1:] == 0.0).all()


# -- beside iterations -----------------------------------------------------------------------------------------------


class Polled:
    """A copy whose bytes move when it has been asked some times whether they have."""

    def __init__(self, move, polls=8, error=None):
        self.move, self.left, self.error = move, polls, error

    def done(self):
        self.left -= 1
        if self.left == 0:
            if self.error is not None:
                raise self.error
            self.move()
        return self.left <= 0

    def wait(self):
        while not self.done():
            pass


def driven(*given):
    """Give a worker jobs ("do" or "start", job); return what it reports, in order."""
    clock, reports = WallClock(), []
    worker = Worker("test", clock)
    for number, (way, job) in enumerate(given):
        report = lambda result, error, number=number: reports.append((number, result, error))  # noqa: E731
        (worker.give if way == "do" else worker.start)(job, report)

    class Run:
        over = False

    clock.drive(Run())
    worker.stop()
    return reports


def test_a_worker_goes_on_while_a_copy_is_under_way_and_reports_its_end():
    moved = []
    jobs = [("start", lambda: Polled(lambda: moved.append(1), polls=3)), *[("do", lambda: "step")] * 5]
    reports = driven(*jobs)
    assert sorted(reports) == [(0, None, None), *((n, "step", None) for n in range(1, 6))]
    assert reports.index((0, None, None)) == 2, "asked before each job: the third time after two of them"
    assert moved == [1]


def test_a_copy_that_is_done_at_once_or_fails_is_reported_too():
    error = RuntimeError("the copy engine fell over")
    reports = driven(("start", lambda: None), ("start", lambda: Polled(None, polls=2, error=error)))
    assert reports == [(0, None, None), (1, None, error)]


class Beside(HashEngine):
    """Its copies end after its next iteration, or in the end if there is none."""

    spans: ClassVar[Counter[str]] = Counter()

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.iterations = 0

    def run(self, work):
        self.iterations += 1
        return super().run(work)

    def copy_out(self, blocks, host):
        return UntilNext(self, partial(super().copy_out, blocks, host))

    def copy_in(self, host, blocks):
        return UntilNext(self, partial(super().copy_in, host, blocks))

    def fetch(self, source, theirs, blocks):
        return UntilNext(self, partial(super().fetch, source, theirs, blocks))


class UntilNext:
    """A copy whose bytes move when its engine has run once more, or has had nothing to run for long."""

    def __init__(self, engine, move):
        self.engine, self.move, self.polls, self.begin = engine, move, 0, engine.iterations

    def done(self):
        self.polls += 1
        beside = self.engine.iterations > self.begin
        if not beside and self.polls < 300:
            return False
        self.move()
        Beside.spans["beside" if beside else "alone"] += 1
        return True


BURST = [(0, 6 + i % 5, 4 + i % 9) for i in range(40)]


@pytest.mark.parametrize("what", ["swap", "hand-off"])
def test_engines_iterate_while_kv_moves_and_no_token_changes(what):
    Beside.spans = Counter()
    if what == "swap":
        mechanisms = Mechanisms(preemption="swap", swap="async", host_blocks=40)
        given = settings(mechanisms=mechanisms, kv_blocks=12, block_tokens=4)
    else:
        given = settings(roles=("prefill", "decode"), make_router=Disaggregated, kv_blocks=60, block_tokens=4)
    run = cluster(WallCluster, given, requests(*BURST), engine=Beside)
    outcome = run.run()
    assert outcome.finished == len(BURST)
    assert same_as_alone(run)
    assert Beside.spans["beside"] > 5, Beside.spans
