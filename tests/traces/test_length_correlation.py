"""Length correlation: long outputs go with long prompts as often as asked, and every length stays."""

import numpy as np
import pytest

from tests.traces.written import whole
from traces import ParameterError, synthetic

PROMPT = {"kind": "lognormal", "mean": 1000, "sigma": 1.0}
OUTPUT = {"kind": "lognormal", "mean": 300, "sigma": 1.5}


def drawn(output, requests=50_000, prompt=PROMPT):
    return whole(
        synthetic(
            arrivals={"kind": "constant"}, prompt_tokens=prompt, output_tokens=output, rate=1.0, requests=requests
        )
    )


def spearman(requests):
    ranks = [side.argsort(kind="stable").argsort() for side in (requests.prompt_tokens, requests.output_tokens)]
    return np.corrcoef(np.stack(ranks)).item(0, 1)


@pytest.mark.parametrize("correlation", [-0.8, 0.3, 0.9])
def test_lengths_have_the_asked_rank_correlation(correlation):
    assert spearman(drawn(OUTPUT | {"prompt_correlation": correlation})) == pytest.approx(correlation, abs=0.02)


def test_they_are_independent_by_default():
    assert spearman(drawn(OUTPUT)) == pytest.approx(0, abs=0.02)


def test_a_correlation_leaves_both_distributions_as_they_are():
    plain, paired = drawn(OUTPUT, 8192), drawn(OUTPUT | {"prompt_correlation": 0.5}, 8192)
    assert np.array_equal(plain.prompt_tokens, paired.prompt_tokens)
    assert sorted(plain.output_tokens) == sorted(paired.output_tokens)


def test_the_first_requests_do_not_depend_on_how_many_there_are():
    few, many = (drawn(OUTPUT | {"prompt_correlation": 0.5}, n) for n in (100, 10_000))
    assert np.array_equal(few.output_tokens, many.output_tokens[:100])


def test_an_impossible_correlation_is_named():
    with pytest.raises(ParameterError, match=r"output_tokens.prompt_correlation: must be .* between -1 and 1, got 2"):
        drawn(OUTPUT | {"prompt_correlation": 2})
