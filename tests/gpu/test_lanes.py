"""Two lanes on green contexts of one GPU: threads side by side and switches between iterations change no token."""

from threading import Thread

import pytest

from tests.gpu.gpu_here import NEEDS_GPU, decoder_on, engine_of
from tests.real.torch_here import torch

pytest.importorskip("cuda.bindings.driver", reason="green contexts need cuda-bindings")

from kernels import ops_on
from realbackend.device import Device
from realbackend.parts import Parts
from realbackend.run import RealSettings, run_real
from realbackend.torch_engine import TorchEngine
from realbackend.work import Work
from simcore.simulator.settings import Mechanisms
from tests.real.runs import requests, settings

pytestmark = NEEDS_GPU

PROMPT = [(7 * i) % 1000 for i in range(40)]


def generated(engine, shares):
    """Return the tokens of a prompt and of as many decodes, each iteration on the next share."""
    blocks = list(range(8))
    engine.keep_to(shares[0])
    tokens = engine.run([Work(0, 0, PROMPT, blocks, True)])
    for share in shares[1:]:
        engine.keep_to(share)
        tokens += engine.run([Work(0, len(PROMPT) + len(tokens) - 1, tokens[-1:], blocks, True)])
    return tokens


@pytest.fixture(scope="module")
def decoder():
    return decoder_on()


def lane(decoder, end, graphs=(), shares=()):
    made = engine_of(decoder)
    return TorchEngine(decoder, made.kv, ops_on(decoder.device), graphs, Parts(Device(decoder.device), end, shares))


@pytest.mark.parametrize("end", ["front", "back"])
@pytest.mark.parametrize("graphs", [(), (1, 2)], ids=["eager", "graphs"])
def test_switching_shares_between_iterations_changes_no_token(decoder, end, graphs):
    expected = generated(engine_of(decoder), [100] * 12)
    assert (
        generated(lane(decoder, end, graphs, (25, 50)), [100, 25, 50, 100, 25, 25, 75, 50, 100, 50, 25, 100])
        == expected
    )


def test_two_lanes_in_threads_do_not_disturb_each_other(decoder):
    expected = generated(engine_of(decoder), [100] * 40)
    found = {}
    threads = [
        Thread(target=lambda end=end: found.update({end: generated(lane(decoder, end), [50] * 40)}))
        for end in ("front", "back")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"front": expected, "back": expected}


def test_real_time_on_two_lanes_gives_the_tokens_of_the_model_clock():
    rows = [(i, 20 + i % 7, 10 + i % 5) for i in range(20)]
    given = settings(mechanisms=Mechanisms(sm_split=(75, 50)), instances=1)
    generated = []
    for clock in ("wall", "model"):
        traffic = requests(*rows)
        real = RealSettings(weights="random:nano", device="cuda", clock=clock)
        generated.append(run_real(given, traffic, traffic, real).generated)
    assert generated[0] == generated[1]


def test_a_share_smaller_than_a_group_of_multiprocessors_is_one_group():
    stream = Parts(Device(torch.device("cuda")), "front").stream(1)
    assert stream.cuda is not None
