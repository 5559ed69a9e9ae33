"""Device: on a CPU, streams, events, pinned memory and graphs are twins that have done their work at once."""

import numpy as np

from tests.real.torch_here import CPU, torch

from realbackend.completion import DONE  # isort: skip
from realbackend.device import Device, Graphs  # isort: skip

DEVICE = Device(CPU)


class Late:
    """Something under way that ends when it is waited for."""

    def __init__(self):
        self.waited = 0

    def done(self):
        return self.waited > 0

    def wait(self):
        self.waited += 1


def test_what_a_stream_of_a_cpu_was_given_is_done():
    stream = DEVICE.stream()
    with stream.use():
        total = torch.ones(3).sum()
    assert stream.mark().done()
    assert total == 3


def test_a_stream_waits_for_what_is_no_mark_of_a_stream():
    late = Late()
    DEVICE.stream().after([DONE, late])
    assert late.waited == 1


def test_a_graph_does_its_work_again_on_the_same_storages():
    given, result = torch.zeros(2), torch.zeros(2)
    replay = Graphs(DEVICE.stream()).capture(lambda: result.copy_(given * 10))
    for value in (1.0, 2.0):
        given.fill_(value)
        replay()
        assert result.tolist() == [value * 10] * 2


def test_numbers_may_change_once_they_were_sent():
    numbers, filled = np.array([1, 2], np.int32), torch.zeros(2, dtype=torch.int32)
    sent = DEVICE.upload(numbers)
    DEVICE.fill(filled, numbers)
    numbers[:] = 7
    assert sent.tolist() == filled.tolist() == [1, 2]


def test_what_was_read_back_stays_when_its_source_goes_on():
    source = torch.tensor([3, 4])
    read = DEVICE.download(source)
    source.fill_(0)
    assert read.tolist() == [3, 4]


def test_host_memory_is_made_of_zeros_and_may_be_none_at_all():
    assert DEVICE.pinned((2, 3), torch.float32).tolist() == [[0.0] * 3] * 2
    assert DEVICE.pinned((0, 3), torch.float32).shape == (0, 3)
