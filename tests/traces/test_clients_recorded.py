"""Traffic of recorded clients: their rates, windows and lengths, scaled and cut, on common random numbers."""

import numpy as np
import pytest

from simcore.contract.units import PS_PER_S
from tests.traces.clients_written import IDLE, chunk, everything, of_client, packed, same
from traces import ParameterError
from traces.clients import merging, open_clients

WINDOW_PS = 600 * PS_PER_S


def gamma(rate, shape=1.0):
    return f"{rate},1.0,Gamma,{shape},1.0"


@pytest.fixture
def pair(tmp_path):
    """Client 0 sends 2, 0 and 4 requests per second, client 7 always 1, with other lengths."""
    folder = chunk(tmp_path / "m", 0, gamma(2), IDLE, gamma(4), prompt="{100: 0.25, 200: 0.75}")
    return chunk(folder, 7, gamma(1), gamma(1, 0.25), "1,1,Weibull,0.7,1", prompt="{7: 1.0}", output="{70: 1.0}")


def test_every_client_sends_at_its_rate_in_every_window(pair):
    requests = everything(open_clients(pair))
    window = requests.at_ps // WINDOW_PS
    sent = [np.bincount(window[requests.client == client], minlength=3) for client in (0, 7)]
    assert np.allclose(sent, [[1200, 0, 2400], [600, 600, 600]], atol=4 * 1.6 * 2400**0.5)
    assert (np.diff(requests.at_ps) >= 0).all()
    assert sent[0][1] == 0


def test_lengths_are_those_of_the_client(pair):
    requests = everything(open_clients(pair))
    first = of_client(requests, 0)
    assert set(first.prompt_tokens) == {100, 200}
    assert (first.prompt_tokens == 200).mean() == pytest.approx(0.75, abs=0.03)
    assert set(first.output_tokens) == {10}
    assert set(of_client(requests, 7).prompt_tokens) == {7}
    assert set(of_client(requests, 7).output_tokens) == {70}


def test_a_length_of_0_is_one_token(tmp_path):
    requests = everything(open_clients(chunk(tmp_path / "m", 0, gamma(1), prompt="{0: 1.0}", output="{0: 1.0}")))
    assert set(requests.prompt_tokens) == set(requests.output_tokens) == {1}


def test_a_block_lasts_until_the_next_that_has_requests(tmp_path):
    folder = chunk(tmp_path / "m", 0, gamma(1), gamma(1), gamma(1))
    (folder / "chunk-0-dataset.json").write_text(
        '{"0": {"input_tokens": "{10: 1.0}", "output_tokens": "{1: 1.0}"},'
        ' "600": {"input_tokens": "{}", "output_tokens": "{}"},'
        ' "1200": {"input_tokens": "{30: 1.0}", "output_tokens": "{1: 1.0}"}}'
    )
    requests = everything(open_clients(folder))
    assert [set(requests.prompt_tokens[requests.at_ps // WINDOW_PS == w]) for w in range(3)] == [{10}, {10}, {30}]


def test_a_prompt_with_images_is_its_text_and_each_image(tmp_path):
    fields = {"image_count": "{0: 0.5, 2: 0.5}", "image_tokens": "{100: 0.5, 300: 0.5}"}
    none = {f"{medium}_{part}": "{0: 1.0}" for medium in ("audio", "video") for part in ("count", "tokens")}
    folder = chunk(tmp_path / "m", 0, gamma(10), text_tokens="{7: 1.0}", **fields, **none)
    prompts, sent = np.unique(everything(open_clients(folder)).prompt_tokens, return_counts=True)
    assert prompts.tolist() == [7, 207, 407, 607]
    assert sent / sent.sum() == pytest.approx([0.5, 0.125, 0.25, 0.125], abs=0.03)


def test_the_rate_is_the_mean_of_the_stretch(pair):
    whole = open_clients(pair, rate=30)
    assert (whole.rate, whole.lasts_s) == (30, 1800)
    assert whole.requests == len(everything(whole)) == pytest.approx(30 * 1800, rel=0.02)
    last = open_clients(pair, rate=30, from_s=1200, for_s=600)
    assert len(everything(last)) == pytest.approx(30 * 600, rel=0.03)
    assert (of_client(everything(last), 0).at_ps.size / len(everything(last))) == pytest.approx(4 / 5, abs=0.02)


def test_with_requests_the_rate_is_the_mean_until_they_have_come(pair):
    """The first window has 3 of the mean 3.3 requests per second: 900 at 6 per second take 150 s of it."""
    workload = open_clients(pair, rate=6, requests=900)
    assert (workload.rate, workload.requests) == (6, 900)
    assert workload.lasts_s == pytest.approx(150)
    requests = everything(workload)
    assert len(requests) == 900
    assert requests.at_ps[-1] / PS_PER_S == pytest.approx(150, rel=0.1)


def test_without_a_rate_requests_come_as_recorded(pair):
    workload = open_clients(pair, requests=2100)
    assert workload.lasts_s == pytest.approx(900)
    assert workload.rate == pytest.approx(2100 / 900)


def test_a_stretch_begins_again_until_all_requests_have_come(pair):
    workload = open_clients(pair, requests=4200, for_s=600)
    assert workload.rate == 3
    assert workload.lasts_s == pytest.approx(1400)
    requests = everything(workload)
    passes = requests.at_ps // WINDOW_PS
    assert len(requests) == 4200
    assert np.bincount(passes) == pytest.approx([1800, 1800, 600], rel=0.15)
    assert not np.array_equal(requests.at_ps[passes == 0][:9], requests.at_ps[passes == 1][:9] - WINDOW_PS)


def test_a_part_of_a_window_has_its_part_of_the_requests(pair):
    requests = everything(open_clients(pair, from_s=300, for_s=1050))
    assert len(requests) == pytest.approx(300 * 3 + 600 + 150 * 5, rel=0.15)
    assert 0 <= requests.at_ps[0] <= requests.at_ps[-1] <= 1050 * PS_PER_S


def test_a_day_is_played_where_neither_length_nor_requests_are_given(tmp_path):
    folder = chunk(tmp_path / "m", 0, *[gamma(0.1)] * 200)
    assert open_clients(folder).lasts_s == 86_400
    assert open_clients(folder, from_s=60_000).lasts_s == 60_000


def test_the_first_requests_are_the_same_for_every_number(pair):
    few, many = (everything(open_clients(pair, requests=n, from_s=0, for_s=1800)) for n in (100, 1000))
    assert few.at_ps.tolist() == many.at_ps[:100].tolist()
    assert few.prompt_tokens.tolist() == many.prompt_tokens[:100].tolist()


def test_at_twice_the_rate_a_client_begins_each_window_with_the_same_requests_in_half_the_time(pair):
    slow, fast = (everything(open_clients(pair, rate=rate, from_s=1200, for_s=600)) for rate in (5, 10))
    for client in (0, 7):
        a, b = of_client(slow, client), of_client(fast, client)
        n = len(a)
        assert n > 100
        assert np.abs(a.at_ps - 2 * b.at_ps[:n]).max() <= 1
        assert a.prompt_tokens.tolist() == b.prompt_tokens[:n].tolist()
        assert b.at_ps[n] * 2 >= WINDOW_PS


def test_dropping_a_client_leaves_the_others_alone(pair):
    both = everything(open_clients(pair))
    for part in ("trace.csv", "dataset.json"):
        (pair / f"chunk-0-{part}").unlink()
    assert same(everything(open_clients(pair)), of_client(both, 7))


def test_a_later_start_meets_the_same_requests(pair):
    whole, end = everything(open_clients(pair)), everything(open_clients(pair, from_s=1200))
    late = whole.at_ps >= 2 * WINDOW_PS
    assert (whole.at_ps[late] - 2 * WINDOW_PS).tolist() == end.at_ps.tolist()
    assert whole.output_tokens[late].tolist() == end.output_tokens.tolist()


def test_the_size_of_a_piece_changes_nothing(pair, monkeypatch):
    usual = everything(open_clients(pair))
    monkeypatch.setattr(merging, "SLICE_REQUESTS", 50)
    small = open_clients(pair)
    assert max(map(len, small.pieces())) < 500
    assert same(usual, everything(small))


def test_reading_twice_gives_the_same_and_seeds_differ(pair):
    workload = open_clients(pair, seed=1)
    assert same(everything(workload), everything(workload))
    assert not same(everything(workload), everything(open_clients(pair, seed=2)))
    assert not same(everything(workload), everything(open_clients(pair, seed=1, replication=1)))


def test_the_first_draws_stay_these_from_version_to_version(pair):
    first = everything(open_clients(pair, requests=3))
    assert first.at_ps.tolist() == [190_815_435_196, 1_153_463_206_622, 1_217_349_014_423]
    assert first.prompt_tokens.tolist() == [100, 200, 100]


def test_the_source_names_file_hash_stretch_and_factor(pair, tmp_path):
    archive = packed(pair, tmp_path / "m.tar.gz")
    source = open_clients(archive, rate=6, from_s=0, for_s=600).source
    assert source.startswith("m.tar.gz (ServeGen clients, sha256 ")
    assert source.endswith("): 2 clients; from 0 s for 600 s, rates times 2")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"rate": 0}, "rate: must be a number > 0, got 0"),
        ({"requests": 0}, "requests: must be a whole number >= 1, got 0"),
        ({"seed": -1}, "seed: must be a whole number >= 0, got -1"),
        ({"from_s": -1}, "from_s: must be a number between 0 and 1800, got -1"),
        ({"from_s": 1800}, "from_s: must be below 1800 s, where the data end, got 1800"),
        ({"for_s": 0}, "for_s: must be a number > 0, got 0"),
        ({"from_s": 1000, "for_s": 900}, "for_s: must be at most 800 s from 1000 s on, got 900"),
        ({"rate": 1e-3, "requests": 5000}, "requests: must arrive within 46 days, got 5,000 at 0.001 req/s"),
    ],
)
def test_a_wrong_parameter_is_named(pair, given, problem):
    with pytest.raises(ParameterError) as error:
        open_clients(pair, **given)
    assert error.value.problems == [problem]


def test_a_time_without_requests_is_refused(tmp_path):
    folder = chunk(tmp_path / "m", 0, IDLE, gamma(1))
    with pytest.raises(ParameterError, match="from_s: must choose a time with requests, but none come from 0 s to 600"):
        open_clients(folder, for_s=600)
    with pytest.raises(ParameterError, match="rate: must have requests to scale, but none come in the first 10 s"):
        open_clients(folder, rate=1, requests=10)
