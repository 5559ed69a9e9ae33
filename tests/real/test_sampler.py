"""Sampler: draws that a request's number and the place of a token give, whatever else is in the batch."""

import pytest

from tests.real.torch_here import CPU, sharpen, torch

from kernels import ops_on  # isort: skip
from realbackend.kv import KvBlocks  # isort: skip
from realbackend.model.weights import load_decoder  # isort: skip
from realbackend.sampler import Sampler  # isort: skip
from realbackend.torch_engine import TorchEngine  # isort: skip
from realbackend.work import Work  # isort: skip

PROMPT = [5, 6, 7, 8]


@pytest.fixture(scope="module")
def decoder():
    return sharpen(load_decoder("random:nano", device=CPU, dtype=torch.float32))


def engine(decoder, sampler):
    kv = KvBlocks(decoder.shape, 16, 16, 0, device=CPU, dtype=torch.float32)
    return TorchEngine(decoder, kv, ops_on(CPU), sampler=sampler)


def said(decoder, sampler, request, tokens=8, before=()):
    """Return what a request says, after `before`, which it has said already and which is computed again."""
    ours, answer = engine(decoder, sampler), list(before)
    answer += ours.run([Work(request, 0, PROMPT + answer, [0], True)])
    while len(answer) < tokens:
        answer += ours.run([Work(request, len(PROMPT) + len(answer) - 1, answer[-1:], [0], True)])
    return answer


def test_a_request_that_is_resumed_draws_what_it_would_have_drawn(decoder):
    whole = said(decoder, Sampler(seed=1), 3)
    assert len(set(whole)) > 4
    for kept in range(8):
        assert said(decoder, Sampler(seed=1), 3, before=whole[:kept]) == whole


def test_requests_and_seeds_draw_differently(decoder):
    answers = {tuple(said(decoder, Sampler(seed=seed), request)) for seed in (0, 1) for request in (0, 1)}
    assert len(answers) == 4


def test_others_in_the_batch_change_nothing(decoder):
    sampler = Sampler()
    first = engine(decoder, sampler).run([Work(0, 0, PROMPT, [0], True)])
    beside = [Work(request, 0, [request, 2, 3], [request], True) for request in (1, 2, 3)]
    together = engine(decoder, sampler).run([*beside, Work(0, 0, PROMPT, [0], True)])
    assert together[3:] == first


def test_without_temperature_or_with_a_tiny_top_p_the_most_likely_token_is_taken(decoder):
    greedy = said(decoder, None, 3)
    assert said(decoder, Sampler(temperature=0), 3) == greedy
    assert said(decoder, Sampler(top_p=1e-6), 3) == greedy


def test_the_log_probability_of_a_draw_is_kept_for_its_place(decoder):
    sampler = Sampler(temperature=0.5, keep=True)
    ours = engine(decoder, sampler)
    (token,) = ours.run([Work(9, 0, PROMPT[:2], [0], False), Work(4, 0, PROMPT, [1], True)])
    from realbackend.model.whole_texts import log_probs_of

    with torch.no_grad():
        expected = log_probs_of(decoder, torch.tensor([[*PROMPT, token]]), 0.5)[0, -1]
    assert sampler.log_probs == {(4, 4): pytest.approx(float(expected), abs=1e-5)}


@pytest.mark.parametrize(
    ("how", "message"),
    [({"temperature": -1}, "temperature must be >= 0, got -1"), ({"top_p": 0}, r"top_p must be in \(0, 1\], got 0")],
)
def test_what_cannot_be_drawn_is_refused(how, message):
    with pytest.raises(ValueError, match=message):
        Sampler(**how)
