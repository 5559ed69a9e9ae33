"""Systems meet the same requests, seed by seed: their ratio is known better than either of them."""

from math import log

import pytest

from simcore.results.stats import interval
from tests.capacity.flat import POISSON, capacity


def test_seeds_that_share_their_requests_compare_systems_more_sharply(tmp_path):
    """The same roots paired with those of the next seed: what the seeds have in common no longer cancels."""
    text = (
        POISSON.replace("requests: 100", "requests: 400") + "  two: {scheduler: {policy: vllm_v1, max_num_seqs: 2}}\n"
    )
    found = capacity(tmp_path, text, slo=["mean_queue_ms<=50"], low=2, high=30, seeds=4)
    one, two = ([seed["value"] for seed in entry["seeds"]] for entry in found.data["results"])
    paired = interval([log(b / a) for a, b in zip(one, two, strict=True)]).half_width
    apart = interval([log(b / a) for a, b in zip(one, two[1:] + two[:1], strict=True)]).half_width
    against = found.data["results"][1]["against"]
    assert log(against["ratio_ci_high"] / against["ratio"]) == pytest.approx(paired)
    assert paired is not None
    assert apart is not None
    assert paired < apart / 2
