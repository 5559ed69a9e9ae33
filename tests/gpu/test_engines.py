"""Engines on a GPU: graphs, tokens that stay there and threads side by side change no token."""

from threading import Thread

import pytest

from tests.gpu.gpu_here import NEEDS_GPU, decoder_on, engine_of
from tests.real.batches import read_at_once, read_at_the_end
from tests.real.torch_here import torch

from kernels.reference import Reference  # isort: skip
from realbackend.graphs import sizes_up_to  # isort: skip
from realbackend.run import RealSettings, run_real  # isort: skip
from realbackend.torch_engine import TorchEngine  # isort: skip
from realbackend.work import Work  # isort: skip
from simcore.simulator.settings import Mechanisms  # isort: skip
from tests.real.runs import requests, settings  # isort: skip

pytestmark = NEEDS_GPU

SIZES = (1, 2, 4, 8)


@pytest.fixture(scope="module")
def decoder():
    return decoder_on()


@pytest.fixture(scope="module")
def eager(decoder):
    return read_at_once(engine_of(decoder))


def test_kernels_give_the_tokens_of_plain_torch(decoder, eager):
    plain = engine_of(decoder)
    assert read_at_once(TorchEngine(decoder, plain.kv, Reference(), ())) == eager
    assert len({token for tokens in eager.values() for token in tokens}) > 10, "a model that repeats itself hides much"


@pytest.mark.parametrize("read", [read_at_once, read_at_the_end])
@pytest.mark.parametrize("graphs", [(), SIZES], ids=["eager", "graphs"])
def test_graphs_and_tokens_that_are_read_late_change_none(decoder, eager, graphs, read):
    assert read(engine_of(decoder, graphs)) == eager


def test_all_sizes_that_an_engine_captures_by_itself_are_captured(decoder):
    engine = engine_of(decoder, graphs=None, blocks=300)
    assert engine._graphs is not None
    assert engine._graphs.sizes == sizes_up_to(256)
    work = [Work(r, 0, [r], [r], True) for r in range(200)]
    assert engine.run(work) == engine_of(decoder, blocks=300).run(work)


def test_rows_that_fill_a_batch_up_write_no_kv(decoder):
    engine = engine_of(decoder, graphs=(8,))
    engine.kv.pool.fill_(3.0)
    torch.cuda.synchronize()
    engine.run([Work(r, 0, [5], [r], True) for r in range(3)])
    changed = (engine.kv.pool != 3.0).flatten(1).any(1)
    assert changed.nonzero().flatten().tolist() == [0, 1, 2]


def test_engines_in_threads_of_their_own_do_not_disturb_each_other(decoder, eager):
    results = {}

    def run(number, engine):
        results[number] = [read_at_the_end(engine) for _ in range(20)]

    engines = [engine_of(decoder, SIZES) for _ in range(3)]
    threads = [Thread(target=run, args=given) for given in enumerate(engines)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[number] for number in range(3)] == [[eager] * 20] * 3


@pytest.mark.parametrize(
    "mechanisms",
    [Mechanisms(), *(Mechanisms(preemption="swap", swap=swap, host_blocks=40) for swap in ("sync", "async"))],
    ids=["plain", "swap", "swap asynchronously"],
)
def test_runs_in_real_time_generate_the_tokens_of_runs_under_the_model_clock(mechanisms):
    burst = [(i, 6 + i % 5, 4 + i % 9) for i in range(40)]
    generated = []
    for clock in ("model", "wall"):
        traffic = requests(*burst)
        given = settings(mechanisms=mechanisms, kv_blocks=12, block_tokens=4)
        real = RealSettings("random:nano", "fp32", "cuda", clock)
        generated.append(run_real(given, traffic, traffic, real).generated)
    assert len(generated[0]) == len(burst)
    assert generated[0] == generated[1]
