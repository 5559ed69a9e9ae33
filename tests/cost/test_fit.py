"""Fits: known terms come back from what they make of iterations, noise does not bend them, and errors are told."""

import numpy as np
import pytest

from simcore.contract import Shape
from simcore.cost import Fitted
from simcore.cost.fit import Observed, error, fit, observed, predicted, terms_of
from simcore.cost.fit_error import by_regime, error_of
from simcore.cost.fitted import Terms

US = 10**6
KNOWN = Terms(
    tokens=((1, 3600 * US), (2, 4700 * US), (4, 4300 * US), (32, 6000 * US), (256, 30000 * US)),
    chunk=2000 * US,
    prefill_pair=US // 10,
    decode=500 * US,
    context=US,
)


def iterations(n: int, seed: int = 0) -> list[Shape]:
    """Draw iterations with up to 32 decodes, half of them with a chunk, of 2 to 224 tokens."""
    rng = np.random.default_rng(seed)
    shapes = []
    for i in range(n):
        decodes = int(rng.choice([1, 2, 4, 6, 8, 16, 32]))
        chunks = [(int(rng.choice([2, 16, 224])), int(rng.integers(0, 900)))] if i % 2 else []
        shapes.append(Shape(decodes, int(decodes * rng.integers(20, 800)), 0, chunks))
    return shapes


def log_of(shapes: list[Shape], took_ps: list[int]) -> Observed:
    return observed(
        (s.decodes, s.context, [new for new, _ in s.chunks], [before for _, before in s.chunks], took)
        for s, took in zip(shapes, took_ps, strict=True)
    )


def made_by(terms: Terms, n: int = 600, noise: float = 0.0, seed: int = 0) -> Observed:
    shapes = iterations(n, seed)
    spread = np.exp(noise * np.random.default_rng(seed + 1).standard_normal(n)) if noise else np.ones(n)
    return log_of(shapes, [round(Fitted(terms).line(s)[0] * f) for s, f in zip(shapes, spread, strict=True)])


def test_what_known_terms_make_of_iterations_is_found_again():
    found, held_out = fit(made_by(KNOWN))
    for name in ("chunk", "prefill_pair", "decode", "context"):
        assert getattr(found, name) == pytest.approx(getattr(KNOWN, name), rel=1e-6)
    for count in (1, 2, 4, 32, 256):
        assert found.by_tokens(count) == pytest.approx(KNOWN.by_tokens(count), rel=1e-6)
    assert held_out.iterations == 120
    assert held_out.worst < 1e-6


def test_three_tokens_may_take_longer_than_four():
    found = terms_of(made_by(KNOWN))
    assert found.by_tokens(3) > found.by_tokens(4)


def test_noise_does_not_make_the_fit_too_low():
    # Relative to what was measured, errors of 20% would make the fit 2 x 0.2^2 = 8% too low.
    log = made_by(KNOWN, n=4000, noise=0.2)
    found = terms_of(log)
    assert np.mean(log.seconds / predicted(found, log)) == pytest.approx(1, abs=1e-6)
    assert error(found, log).total == pytest.approx(0, abs=0.01)


def test_no_term_is_negative_even_where_time_falls_with_context():
    shapes = [Shape(4, context) for context in range(100, 2100, 10)]
    found = terms_of(log_of(shapes, [(10_000 - shape.context) * US for shape in shapes]))
    assert found.context == 0
    assert all(took_ps >= 0 for _, took_ps in found.tokens)


def test_every_fifth_iteration_is_held_out_and_says_how_good_the_fit_is():
    shapes = [Shape(1, 100)] * 100
    took = [(20 if i % 5 == 4 else 10) * US for i in range(100)]
    found, held_out = fit(log_of(shapes, took))
    assert Fitted(found).line(Shape(1, 100))[0] == pytest.approx(10 * US, rel=1e-6)
    assert held_out.iterations == 20
    assert held_out.median == pytest.approx(0.5, rel=1e-6)
    assert held_out.bias == held_out.total == pytest.approx(-0.5, rel=1e-6)


def test_a_curve_has_no_point_where_hardly_anything_was_measured():
    shapes = [Shape(1, 100)] * 100 + [Shape(8, 100)] * 3 + [Shape(16, 100)] * 100
    found = terms_of(log_of(shapes, [shape.decodes * US for shape in shapes]))
    assert [count for count, _ in found.tokens] == [1, 16]


def test_too_few_iterations_are_refused():
    with pytest.raises(ValueError, match="must have at least 50 iterations to fit, got 49"):
        fit(made_by(KNOWN, n=49))


def test_errors_are_told_by_kind_of_iteration():
    said, took = np.array([1.1, 0.9, 1.0, 3.0]), np.array([1.0, 1.0, 1.0, 2.0])
    found = by_regime(said, took, decodes=np.array([1, 1, 5, 0]), chunks=np.array([0, 0, 1, 1]))
    assert {name: error.iterations for name, error in found.items()} == {"1 decode": 2, "prefill": 1, "mixed": 1}
    assert found["1 decode"].median == pytest.approx(0.1)
    assert found["1 decode"].bias == pytest.approx(0)
    assert found["prefill"].bias == pytest.approx(0.5)


def test_an_error_is_relative_and_that_of_the_sum_stands_beside():
    found = error_of(np.array([1.0, 4.0]), np.array([2.0, 2.0]))
    assert (found.worst, found.bias, found.total) == (1.0, 0.25, 0.25)
