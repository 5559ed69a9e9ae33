"""Public traces: row counts, token sums and times of the real files, and how well the catalogue fits them."""

import pytest

from tests.traces.written import shared, whole
from traces import Replay, open_trace
from traces.fit import Fit, dispersion, relative_gaps

CONV, CODE = "azure/AzureLLMInferenceTrace_conv.csv", "azure/AzureLLMInferenceTrace_code.csv"
MOONCAKE, MOONCAKE_SYNTHETIC = "mooncake/conversation_trace.jsonl.gz", "mooncake/synthetic_trace.jsonl.gz"


@pytest.mark.parametrize(
    ("file", "requests", "prompt_tokens", "output_tokens", "last_ps", "rate"),
    [
        (CONV, 19_366, 22_361_870, 4_088_665, 3_501_721_937_000_000, 5.53),
        (CODE, 8_819, 18_059_974, 245_896, 3_435_948_056_000_000, 2.57),
        (MOONCAKE, 7_851, 97_571_920, 2_724_903, 2_397_000_000_000_000, 3.27),
        (MOONCAKE_SYNTHETIC, 3_993, 61_194_628, 595_432, 1_022_025_000_000_000, 3.91),
    ],
)
def test_a_public_trace_is_read_to_the_last_token(file, requests, prompt_tokens, output_tokens, last_ps, rate):
    trace = open_trace(shared(file))
    assert isinstance(trace, Replay)
    everything = whole(trace)
    assert len(everything) == trace.requests == requests
    assert everything.prompt_tokens.sum() == trace.survey.prompt_tokens == prompt_tokens
    assert everything.output_tokens.sum() == trace.survey.output_tokens == output_tokens
    assert (everything.at_ps[0], everything.at_ps[-1]) == (0, last_ps)
    assert trace.rate == pytest.approx(rate, abs=0.01)


def test_the_published_burstiness_is_found():
    trace = open_trace(shared(CODE))
    code = whole(trace)
    assert relative_gaps(code.at_ps, trace.rate).std() == pytest.approx(13.15, abs=0.01)
    assert dispersion(code.at_ps) == pytest.approx(71.3, abs=0.1)


@pytest.mark.parametrize(
    ("name", "file", "gaps_ks"), [("azure_conv_2023", CONV, 0.02), ("azure_code_2023", CODE, 0.015)]
)
def test_the_catalogue_fits_its_trace(name, file, gaps_ks):
    fit = Fit.between(open_trace(shared(file)), open_trace(name, requests=200_000))
    assert fit.gaps_ks < gaps_ks
    assert fit.prompt_ks < 0.012
    assert fit.output_ks < 0.012
    assert fit.prompt_mean[1] == pytest.approx(fit.prompt_mean[0], rel=0.01)


def test_the_first_rows_are_scaled_by_their_own_rate():
    trace = open_trace(shared(CONV), requests=1000, rate=10.0)
    assert 999 / (whole(trace).at_ps[-1] / 1e12) == pytest.approx(10.0, rel=1e-9)
