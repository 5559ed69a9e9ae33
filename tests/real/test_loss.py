"""Loss: numbers of GRPO and DAPO that can be checked by hand."""

from math import log

import pytest

from tests.real.torch_here import torch

from realbackend.training.loss import advantages, clipped_loss, teaches  # isort: skip


def test_advantages_are_deviations_from_the_group_in_standard_deviations():
    assert advantages([1, 0, 0, 0]) == pytest.approx([3**0.5, *[-(3**-0.5)] * 3])
    assert advantages([1, 1, 1]) == [0, 0, 0]


def test_the_dynamic_filter_turns_away_groups_whose_samples_all_earn_the_same():
    assert teaches([1, 0, 1])
    assert not teaches([1, 1, 1])
    assert not teaches([0, 0])


def loss(ratios, gains, counts=None, average="token", old=0.1):
    """Return the loss of texts whose probabilities have become `ratios` times the old ones."""
    ratios = torch.tensor(ratios)
    counts = torch.ones(ratios.shape, dtype=torch.bool) if counts is None else torch.tensor(counts)
    new = (ratios * old).log().requires_grad_()
    found = clipped_loss(
        new,
        torch.full(ratios.shape, log(old)),
        torch.tensor(gains),
        counts,
        low=0.2,
        high=0.28,
        average=average,
    )
    found.value.backward()
    return float(found.value.detach()), found.clipped, new.grad


def test_at_a_ratio_of_one_the_gradient_is_that_of_the_policy_gradient():
    value, clipped, gradient = loss([[1.0, 1.0], [1.0, 1.0]], [1.0, -1.0])
    assert (value, clipped) == (pytest.approx(0.0, abs=1e-6), 0.0)
    torch.testing.assert_close(gradient, torch.tensor([[-0.25, -0.25], [0.25, 0.25]]))


def test_a_token_that_has_become_likely_enough_is_pushed_no_further():
    value, clipped, gradient = loss([[1.5, 1.1]], [1.0])
    assert value == pytest.approx(-(1.28 + 1.1) / 2)
    assert clipped == 0.5
    assert gradient[0, 0] == 0
    assert gradient[0, 1] < 0


def test_a_token_that_has_become_unlikely_enough_is_pushed_no_further_but_a_likely_bad_one_is():
    value, _, gradient = loss([[0.5, 1.5]], [-1.0])
    assert value == pytest.approx((0.8 + 1.5) / 2)
    assert gradient[0, 0] == 0
    assert gradient[0, 1] > 0


def test_tokens_that_do_not_count_are_not_learned_from():
    _, _, gradient = loss([[1.0, 1.0]], [1.0], counts=[[True, False]])
    torch.testing.assert_close(gradient, torch.tensor([[-1.0, 0.0]]))


def test_tokens_or_samples_weigh_the_same():
    counts = [[True, True, True], [True, False, False]]
    by_token, _, _ = loss([[1.0] * 3, [1.0] * 3], [1.0, -1.0], counts)
    by_sample, _, _ = loss([[1.0] * 3, [1.0] * 3], [1.0, -1.0], counts, average="sample")
    assert by_token == pytest.approx(-0.5)
    assert by_sample == pytest.approx(0.0, abs=1e-6)
