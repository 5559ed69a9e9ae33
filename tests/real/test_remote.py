"""Remote: a request moves to another process as it decodes; whatever happens there, no token and no block is lost."""

import multiprocessing
from contextlib import contextmanager
from typing import Any

import pytest

from tests.real.torch_here import alone, engine_of, torch

from realbackend.decoding import Decoding  # isort: skip
from realbackend.remote.check import kv_of  # isort: skip
from realbackend.remote.control import Reserve  # isort: skip
from realbackend.remote.migration import arrive, leave  # isort: skip
from realbackend.staged import Refused, stages  # isort: skip
from tests.real import other_process as there  # isort: skip
from tests.real.other_process import BLOCKS, HERE, PROMPT, THERE, control, decoder, engine, join, wire  # isort: skip

SIZE = 16
UNUSED: Any = None
dist = torch.distributed
needs_gloo = pytest.mark.skipif(
    not dist.is_available() or not dist.is_gloo_available(), reason="this torch has no torch.distributed with gloo"
)


@contextmanager
def beside(folder, what):
    """Have another process do `what`; give the connection to it."""
    spawning = multiprocessing.get_context("spawn")
    connection, theirs = spawning.Pipe()
    process = spawning.Process(target=what, args=(str(folder), theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        join(folder, HERE)
        yield connection
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
        connection.close()
        process.join(there.TIMEOUT_S)


def decoding(free, prompt=PROMPT, output=40):
    """Return a request with its first token."""
    request = Decoding(engine_of(decoder(), len(free)), free, prompt, len(prompt) + output)
    request.step()
    return request


def to_its_end(request):
    while not request.finished:
        request.step()
    return request.text


@needs_gloo
def test_a_request_that_moves_generates_what_it_does_undisturbed_and_one_that_does_not_leaves_nothing_behind(tmp_path):
    undisturbed = PROMPT + alone(decoder(), PROMPT, 40)
    with beside(tmp_path, there.takes) as connection:
        outgoing, talk = wire(HERE), control(connection)

        longer = decoding(list(range(20)), PROMPT * 2, 40)
        with pytest.raises(Refused, match="no memory"):
            leave(longer, outgoing, talk)
        assert connection.recv() == ("no memory", list(range(BLOCKS)))
        assert to_its_end(longer) == PROMPT * 2 + alone(decoder(), PROMPT * 2, 40)

        ends = decoding(list(range(BLOCKS)), output=2)
        with pytest.raises(Refused, match="finished"):
            leave(ends, outgoing, talk)  # its last token came while the first stage was under way
        assert connection.recv() == ("finished", list(range(BLOCKS)))
        assert ends.text == undisturbed[: len(PROMPT) + 2]

        free = list(range(BLOCKS))
        goes = decoding(free)
        moved = leave(goes, outgoing, talk)
        assert moved.blocks == 7
        assert moved.stages >= 2
        assert moved.decoded >= 1, "it decodes while the first stage is under way"
        assert sorted(free) == list(range(BLOCKS))
        stays = decoding(list(range(BLOCKS)))
        assert to_its_end(stays) == undisturbed
        # Attention does not see the order of past tokens, whose positions are in their keys: so their KV is compared.
        assert connection.recv() == ((undisturbed, kv_of(stays)), list(range(BLOCKS)))
        outgoing.close()
    assert len(set(undisturbed[len(PROMPT) :])) > 10


@needs_gloo
def test_a_target_that_dies_between_stages_is_said_to_be_gone_and_the_request_goes_on_where_it_was(tmp_path):
    with beside(tmp_path, there.dies) as connection:
        request, outgoing, incoming = decoding(list(range(BLOCKS))), wire(HERE), wire(THERE)
        with pytest.raises(ConnectionError, match="gone"):
            leave(request, outgoing, control(connection))
        assert to_its_end(request) == PROMPT + alone(decoder(), PROMPT, 40)
        copy = engine().receive(incoming, [0])
        with pytest.raises(ConnectionError, match="rank 1 is gone"):
            copy.wait()
        outgoing.close()
        incoming.close()


def test_a_source_that_dies_leaves_no_block_taken_at_the_target():
    source, target = multiprocessing.Pipe()
    free = list(range(BLOCKS))
    source.send(Reserve(7))
    source.close()
    with pytest.raises(ConnectionError, match="gone"):
        arrive(engine(), free, UNUSED, control(target))
    assert sorted(free) == list(range(BLOCKS))


# -- the rule of stages, without another process -----------------------------------------------------------------------


class Slow:
    """A way on which each copy takes so many iterations of the request; it notes what it copies."""

    def __init__(self, iterations):
        self.iterations, self.copied, self.reserved = iterations, [], []

    def reserve(self, blocks):
        self.reserved.append(blocks)

    def copy(self, first, until):
        self.copied.append((first, until))
        return Lasting(self.iterations)


class Lasting:
    """A copy that has ended when it was asked so often."""

    def __init__(self, polls):
        self.left = polls

    def done(self):
        self.left -= 1
        return self.left <= 0

    def wait(self):
        self.left = 0


def test_full_blocks_go_first_then_what_was_written_meanwhile():
    """100 tokens are 6 full blocks and 4 tokens; 20 iterations later 120 are 7 and 8: 2 blocks are left."""
    request, way = decoding(list(range(BLOCKS))), Slow(20)
    for _ in stages(request, way, last_blocks=2):
        request.step()
    assert way.copied == [(0, 6), (6, 8)]
    assert way.reserved == [8, 9]


def test_who_never_catches_up_stays():
    request, way = decoding(list(range(20)), output=200), Slow(2 * SIZE)
    with pytest.raises(Refused, match="too slow"):
        all(request.step() is None for _ in stages(request, way, most=3))
    assert way.copied == [(0, 6), (6, 8), (8, 10)]
