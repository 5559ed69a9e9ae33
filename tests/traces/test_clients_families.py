"""Families of gaps: mean 1 and the burstiness of their shape, and as many requests at the start as later."""

import numpy as np
import pytest

from traces.clients.families import Gamma, Weibull
from traces.clients.renewal import Renewal

BURSTY = [Gamma(0.1), Gamma(4.0), Weibull(0.5), Weibull(2.0)]


def generator(seed=0):
    return np.random.Generator(np.random.Philox(seed))


@pytest.mark.parametrize("family", BURSTY)
def test_gaps_have_mean_one_and_the_cv_of_the_shape(family):
    gaps = family.gaps(generator(), 400_000)
    assert gaps.mean() == pytest.approx(1, rel=0.03)
    assert gaps.std() == pytest.approx(family.cv, rel=0.03)


def test_coefficients_of_variation_are_the_known_ones():
    assert Gamma(1).cv == 1
    assert Weibull(1).cv == pytest.approx(1)
    assert Gamma(0.25).cv == 2
    assert Weibull(0.5).cv == pytest.approx(5**0.5)


@pytest.mark.parametrize("family", BURSTY)
def test_as_many_requests_come_as_asked_from_the_first_moment_on(family):
    """Were the first gap like the others, a bursty client would send too much: by half with gamma gaps of shape 0.1."""
    sent = [len(Renewal(family, generator(seed)).until(10.0)) for seed in range(4000)]
    assert np.mean(sent) == pytest.approx(10, abs=4 * np.std(sent) / len(sent) ** 0.5)


def test_requests_are_the_same_however_they_are_asked_for():
    at_once = Renewal(Gamma(0.3), generator()).until(500)
    bit_by_bit = Renewal(Gamma(0.3), generator())
    assert np.concatenate([bit_by_bit.until(end) for end in range(1, 501)]).tolist() == at_once.tolist()
