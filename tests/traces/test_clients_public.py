"""Public clients: the published figures of ServeGen's models are read, and generated traffic comes to them."""

from functools import cache

import pytest

from tests.traces.written import shared
from traces.clients import open_clients
from traces.clients.fit import Fit
from traces.clients.population import read_population
from traces.clients.statistics import Traffic, lengths, quantiles

M_LARGE, M_SMALL = "servegen/language_m-large.tar.gz", "servegen/language_m-small.tar.gz"
DEEPSEEK, IMAGES = "servegen/reason_deepseek-r1.tar.gz", "servegen/multimodal_mm-image.tar.gz"


@cache
def population(name):
    return read_population(shared(name))


@pytest.mark.parametrize(
    ("name", "clients", "complete", "days", "rate", "peak", "top", "top_ten", "cv"),
    [
        (M_LARGE, 162, 147, 14, 195.8, 583, 16, 63, 3.45),
        (M_SMALL, 43, 38, 14, 1174.4, 3880, 30, 93, 3.58),
        (DEEPSEEK, 73, 73, 1, 16.0, 42.5, 29, 68, 2.28),
        (IMAGES, 35, 35, 1, 9.5, 13.3, 14, 83, 2.21),
    ],
)
def test_the_published_rates_shares_and_burstiness_are_read(
    name, clients, complete, days, rate, peak, top, top_ten, cv
):
    found = population(name)
    assert (len(found.everyone), len(found.clients)) == (clients, complete)
    assert len(found.per_s) == days * 144
    traffic = Traffic.of(found.everyone)
    assert traffic.rate == pytest.approx(rate, abs=0.06)
    assert traffic.peak == pytest.approx(peak, rel=0.003)
    assert (round(100 * traffic.top), round(100 * traffic.top_ten)) == (top, top_ten)
    assert traffic.cv == pytest.approx(cv, abs=0.005)


@pytest.mark.parametrize(
    ("name", "field", "mean", "p50", "p90", "p99", "most"),
    [
        (M_LARGE, "prompt", 914, 601, 2371, 5452, 30712),
        (M_LARGE, "output", 155, 53, 461, 872, 9307),
        (M_SMALL, "prompt", 120, 40, 322, 1478, 145912),
        (M_SMALL, "output", 14.9, 3, 44, 142, 10912),
        (DEEPSEEK, "prompt", 1268, 208, 2092, 23423, 57284),
        (DEEPSEEK, "output", 1527, 792, 3432, 12607, 32768),
        (IMAGES, "prompt", 572, 106, 1914, 3064, 4242),
        (IMAGES, "image", 650, 540, 1224, 1271, 1280),
        (IMAGES, "output", 130, 100, 264, 587, 2000),
    ],
)
def test_the_published_lengths_are_read(name, field, mean, p50, p90, p99, most):
    table = lengths(population(name), lambda block: block.media[0][1] if field == "image" else getattr(block, field))
    assert table.mean == pytest.approx(mean, abs=0.5)
    assert [*quantiles(table, 0.5, 0.9, 0.99), table.values[-1]] == [p50, p90, p99, most]


@pytest.mark.parametrize(
    ("name", "from_s", "for_s"),
    [(DEEPSEEK, 0, 21_600), (IMAGES, 0, 21_600), (M_LARGE, 36_000, 1200), (M_SMALL, 0, 600)],
)
def test_generated_traffic_comes_to_what_the_files_say(name, from_s, for_s):
    fit = Fit.of(open_clients(shared(name), from_s=from_s, for_s=for_s, seed=1))
    expected, came = fit.requests
    assert came == pytest.approx(expected, rel=0.02)
    assert fit.top[1] == pytest.approx(fit.top[0], abs=0.02)
    assert fit.top_ten[1] == pytest.approx(fit.top_ten[0], abs=0.02)
    assert fit.cv[1] == pytest.approx(fit.cv[0], rel=0.15)
    assert fit.output_ks < 0.02
    assert fit.prompt_ks is None or fit.prompt_ks < 0.02
    assert fit.mean_prompt[1] == pytest.approx(fit.mean_prompt[0], rel=0.03)


def test_the_rate_follows_the_day():
    """deepseek-r1 swings tenfold: in its busiest ten minutes come 25,512 requests, in its quietest 2,600."""
    per_s = population(DEEPSEEK).per_s
    for window in (int(per_s.argmax()), int(per_s.argmin())):
        workload = open_clients(shared(DEEPSEEK), from_s=600 * window, for_s=600)
        assert workload.requests == pytest.approx(600 * per_s[window], rel=0.12)


def test_billions_of_requests_are_streamed():
    """Two weeks of m-small without its largest clients are 613 million requests: the first do not wait for the rest."""
    workload = open_clients(shared(M_SMALL), requests=100_000, for_s=14 * 86_400)
    pieces = workload.pieces()
    assert len(next(pieces)) < 60_000
    assert sum(map(len, pieces)) > 40_000
