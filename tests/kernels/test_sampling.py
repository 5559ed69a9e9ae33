"""Sampling: the most likely token, or one drawn by seed and step, whoever else is in the batch."""

import math

import pytest

from tests.kernels.here import DEVICE, DTYPES, OPS, REFERENCE, drawn, gpu, on_gpu, torch

from kernels.noise import gumbel  # isort: skip
from kernels.ops import Sampling  # isort: skip

BOTH = pytest.mark.parametrize("ops", [OPS, REFERENCE], ids=["triton", "torch"])


def sampling(rows, temperature=1.0, top_p=1.0, seed=0, step=None):
    """Return one way for all rows; seeds, and steps unless given, count the rows."""
    count = torch.arange(rows, device=DEVICE)
    return Sampling(
        temperature=torch.full((rows,), temperature, device=DEVICE),
        top_p=torch.full((rows,), top_p, device=DEVICE),
        seeds=count + seed,
        steps=count if step is None else torch.full_like(count, step),
    )


# -- the most likely -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("width", [1, 7, 300, 9000])
def test_the_most_likely_token_is_found(width, dtype):
    logits = drawn(2, width, dtype=dtype)
    assert OPS.sample(logits, None).tolist() == logits.float().argmax(dim=-1).tolist()


@BOTH
def test_the_first_of_equals_is_taken(ops):
    logits = torch.zeros((3, 9000), device=DEVICE)
    logits[1, [8, 5000, 8999]] = 1.0
    logits[2] = -torch.inf
    assert ops.sample(logits, None).tolist() == [0, 8, 0]


@BOTH
def test_rows_of_logits_may_lie_apart(ops):
    logits = drawn(3, 50)[:, 5:40]
    assert ops.sample(logits, None).tolist() == logits.argmax(dim=-1).tolist()


@BOTH
def test_temperature_0_is_the_most_likely_token(ops):
    logits = drawn(3, 40)
    assert torch.equal(ops.sample(logits, sampling(3, temperature=0.0, top_p=0.3)), ops.sample(logits, None))


@BOTH
def test_a_tiny_top_p_is_the_most_likely_token(ops):
    logits = drawn(3, 40)
    assert torch.equal(ops.sample(logits, sampling(3, temperature=5.0, top_p=1e-6)), ops.sample(logits, None))


# -- drawn ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "rows"), [(40, 8), (5000, 2)])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_triton_and_torch_draw_the_same_tokens(width, rows, dtype):
    logits = drawn(rows, width, dtype=dtype) * 2
    how = Sampling(
        temperature=torch.tensor([1.0, 5.0, 0.0, 0.2], device=DEVICE).repeat(rows)[:rows],
        top_p=torch.tensor([0.9, 1.0, 0.5, 0.7, 0.999], device=DEVICE).repeat(rows)[:rows],
        seeds=torch.arange(rows, device=DEVICE) * -(2**61),
        steps=torch.arange(rows, device=DEVICE) * 1000,
    )
    assert OPS.sample(logits, how).tolist() == REFERENCE.sample(logits, how).tolist()


@BOTH
def test_a_request_draws_the_same_token_in_any_batch(ops):
    logits = drawn(4, 60)
    how = sampling(4, top_p=0.8, seed=5, step=3)
    together = ops.sample(logits, how)
    for row in (1, 3):
        alone = Sampling(*(getattr(how, name)[row : row + 1] for name in ("temperature", "top_p", "seeds", "steps")))
        assert ops.sample(logits[row : row + 1], alone).item() == together[row]


def test_seeds_and_steps_draw_anew():
    logits = torch.zeros((64, 1000), device=DEVICE)
    one_seed = sampling(64)
    one_seed.seeds.fill_(9)
    for how in (sampling(64, step=9), one_seed):
        assert len(set(REFERENCE.sample(logits, how).tolist())) > 55, "64 of 1000 tokens, hardly ever the same"


ROWS = 20000
CHANCE = [0.4, 0.3, 0.15, 0.1, 0.05]
KEPT = {
    # top_p: what is kept of the chances above
    1.0: 5,
    0.9: 4,
    0.71: 3,
    0.4: 1,
    0.3: 1,
}


@pytest.mark.parametrize("top_p", KEPT)
@pytest.mark.parametrize("ops", [gpu(OPS), REFERENCE], ids=["triton", "torch"])
def test_tokens_are_as_frequent_as_they_are_likely(ops, top_p):
    order = [3, 0, 4, 2, 1]  # the most likely token is 3, and so on
    logits = torch.tensor([CHANCE[order.index(token)] for token in range(5)], device=DEVICE).log()
    drawn_tokens = ops.sample(logits.expand(ROWS, 5), sampling(ROWS, top_p=top_p))
    counts = torch.bincount(drawn_tokens, minlength=5)[order].tolist()
    kept = CHANCE[: KEPT[top_p]]
    assert sum(counts[len(kept) :]) == 0
    expected = [ROWS * chance / sum(kept) for chance in kept]
    chi_square = sum((count - wanted) ** 2 / wanted for count, wanted in zip(counts, expected, strict=False))
    assert chi_square < 18.5, "1 in 1000 draws of 4 degrees of freedom"


def test_temperature_flattens():
    logits = torch.tensor([2.0, 0.0], device=DEVICE).expand(ROWS, 2)
    for temperature in (0.5, 1.0, 2.0):
        share = (REFERENCE.sample(logits, sampling(ROWS, temperature)) == 0).float().mean().item()
        assert share == pytest.approx(1 / (1 + math.exp(-2 / temperature)), abs=0.012)


@BOTH
def test_tokens_as_likely_as_the_last_one_kept_stay(ops):
    # 0.5 are reached with two tokens of 0.3; the third one is as likely. The last one has 0.1.
    logits = torch.tensor([[0.1, 0.3, 0.3, 0.3]], device=DEVICE).log().expand(12, 4)
    assert set(ops.sample(logits, sampling(12, top_p=0.5)).tolist()) == {1, 2, 3}


@BOTH
def test_tokens_that_cannot_be_are_never_drawn(ops):
    logits = torch.full((12, 30), -torch.inf, device=DEVICE)
    logits[:, 4], logits[:, 21] = 1.0, 1.5
    assert set(ops.sample(logits, sampling(12, temperature=3.0)).tolist()) == {4, 21}
    assert set(ops.sample(logits, sampling(12, temperature=3.0, top_p=0.95)).tolist()) == {4, 21}


def test_noise_is_standard_gumbel():
    noise = gumbel(torch.arange(300), torch.arange(300) * 7, 300).double()
    euler = 0.5772156649
    assert noise.mean().item() == pytest.approx(euler, abs=0.02)
    assert noise.std().item() == pytest.approx(math.pi / math.sqrt(6), abs=0.02)
    # Quantiles far out, where tokens win: one in a thousand is above -log(-log(0.999)) = 6.907.
    assert (noise > 6.907).double().mean().item() == pytest.approx(0.001, rel=0.25)
    neighbours = torch.corrcoef(torch.stack((noise[:, 1:].flatten(), noise[:, :-1].flatten())))[0, 1]
    assert abs(neighbours.item()) < 0.02


@on_gpu
@pytest.mark.parametrize("width", [128256, 151936])
def test_real_vocabularies(width):
    logits, how = drawn(64, width, dtype=torch.bfloat16) * 3, sampling(64, temperature=0.8, top_p=0.9)
    assert torch.equal(OPS.sample(logits, None), logits.argmax(dim=-1))
    same = OPS.sample(logits, how) == REFERENCE.sample(logits, how)
    assert same.float().mean() > 0.95, "a token at the edge of top_p may be in or out by rounding"
