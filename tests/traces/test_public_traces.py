"""Public traces: row counts, token sums and times of the real files, and how well the catalogue fits them."""

from typing import Any

import numpy as np
import pytest

from tests.traces.written import shared, whole
from traces import Replay, open_trace
from traces.fit import Fit, dispersion, relative_gaps

CONV, CODE = "azure/AzureLLMInferenceTrace_conv.csv", "azure/AzureLLMInferenceTrace_code.csv"
ARXIV, APEX = "vidur/arxiv_summarization_stats_llama2_tokenizer_filtered_v2.csv.gz", "lmsys/apex_lmsys_lengths.csv.gz"
VICUNA = "lmsys/predictions_warmup_cls_1000K.csv.gz"
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


@pytest.mark.parametrize(
    ("file", "side", "count", "total", "published"),
    [
        (CONV, "prompt_tokens", 19_366, 22_361_870, (1_155, 1_020, 2_734, 4_142, 14_050)),
        (CONV, "output_tokens", 19_366, 4_088_665, (211, 129, 424, 601, 1_000)),
        (CODE, "prompt_tokens", 8_819, 18_059_974, (2_048, 1_469, 5_188, 7_436, 7_437)),
        (CODE, "output_tokens", 8_819, 245_896, (27.9, 13, 55, 252, 1_899)),
        (MOONCAKE, "prompt_tokens", 7_851, 97_571_920, (12_430, 7_284, 27_990, 89_870, 124_800)),
        (MOONCAKE, "output_tokens", 7_851, 2_724_903, (347, 356, 606, 1_168, 2_000)),
        (MOONCAKE_SYNTHETIC, "prompt_tokens", 3_993, 61_194_628, (15_330, 11_590, 38_610, 66_460, 191_400)),
        (MOONCAKE_SYNTHETIC, "output_tokens", 3_993, 595_432, (149, 69, 389, 768, 893)),
        (ARXIV, "prompt_tokens", 28_257, 73_131_321, (2_588, 2_730, 3_702, 3_933, 4_054)),
        (ARXIV, "output_tokens", 28_257, 8_234_948, (291, 167, 372, 3_271, 4_056)),
        (APEX, "prompt_tokens", 1_024, 63_148, (61.7, 17, 177, 586, 1_037)),
        (APEX, "output_tokens", 1_024, 165_996, (162, 117, 389, 533, 761)),
        (VICUNA, "output_tokens", 85_482, 15_110_268, (177, 140, 397, 502, 511)),
    ],
)
def test_the_published_lengths_are_found(file, side, count, total, published):
    """Mean, p50, p90, p99 and maximum as in the README beside the traces, which rounds to four digits."""
    given: dict[str, Any] = {} if file not in (ARXIV, VICUNA) else {"arrivals": {"kind": "poisson"}, "rate": 1}
    if file == VICUNA:
        given["prompt_tokens"] = {"kind": "fixed", "tokens": 100}
    lengths = getattr(whole(open_trace(shared(file), **given)), side)
    assert (len(lengths), lengths.sum()) == (count, total)
    found = (lengths.mean(), *np.quantile(lengths, [0.5, 0.9, 0.99]), lengths.max())
    assert found == pytest.approx(published, rel=5e-3)


def test_the_published_times_of_the_chats_of_lmsys_are_found():
    trace = open_trace(shared(APEX))
    assert trace.lasts_s == pytest.approx(2_024, abs=1)
    assert trace.rate == pytest.approx(0.506, abs=0.001)


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
