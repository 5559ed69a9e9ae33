"""Generated clients: shares, burstiness, lengths between clients, and a day's curve, from a few numbers."""

import numpy as np
import pytest

from simcore.contract.units import PS_PER_S
from tests.traces.clients_written import everything, of_client
from traces import ParameterError
from traces.clients import clients

FIXED = {"kind": "fixed", "tokens": 10}


def mixture(requests=20_000, rate=10.0, seed=0, replication=0, **given):
    lengths = {"prompt_tokens": FIXED, "output_tokens": FIXED}
    return clients(lengths | given, rate=rate, requests=requests, seed=seed, replication=replication)


def test_shares_fall_with_the_skew():
    even, skewed = mixture(count=4, skew=0, cv=1), mixture(count=4, skew=1, cv=1)
    assert even.shares.tolist() == [0.25] * 4
    assert skewed.shares == pytest.approx(np.array([12, 6, 4, 3]) / 25)
    sent = np.bincount(everything(skewed).client) / 20_000
    assert sent == pytest.approx(skewed.shares, abs=0.02)


def test_the_rate_is_the_mean_of_all_clients():
    workload = mixture(count=5, cv=2)
    requests = everything(workload)
    assert workload.lasts_s == 2000
    assert len(requests) == workload.requests == 20_000
    assert requests.at_ps[-1] / PS_PER_S == pytest.approx(2000, rel=0.05)
    assert (np.diff(requests.at_ps) >= 0).all()


def test_gaps_of_a_client_are_as_bursty_as_drawn():
    workload = mixture(count=2, skew=0, cv={"probabilities": [0, 1], "values": [1, 4]}, seed=3)
    requests = everything(workload)
    for client in (0, 1):
        gaps = np.diff(of_client(requests, client).at_ps)
        assert gaps.std() / gaps.mean() == pytest.approx(workload.cv_of(client), rel=0.15)
    assert abs(workload.cv_of(0) - workload.cv_of(1)) > 0.1


def test_lengths_differ_between_clients_as_much_as_asked():
    given = {"kind": "lognormal", "mu": 5.0, "sigma": 0.2}
    spread = everything(mixture(count=200, skew=0, cv=1, prompt_tokens=given | {"between": 1.0}))
    means = np.array([np.log(of_client(spread, client).prompt_tokens).mean() for client in range(200)])
    assert means.mean() == pytest.approx(5.0, abs=0.25)
    assert means.std() == pytest.approx(1.0, abs=0.15)
    within = np.log(spread.prompt_tokens) - means[spread.client]
    assert within.std() == pytest.approx(0.2, abs=0.02)
    equal = everything(mixture(count=20, cv=1, prompt_tokens=given))
    assert np.log(equal.prompt_tokens).std() == pytest.approx(0.2, abs=0.02)


def test_a_day_repeats_its_curve():
    workload = mixture(count=3, cv=1, diurnal={"rates": [1, 3, 0, 4], "day_s": 400}, rate=10, requests=8000)
    at_s = everything(workload).at_ps / PS_PER_S
    assert workload.lasts_s == pytest.approx(800)
    sent = np.bincount((at_s // 100).astype(int), minlength=8)[:8]
    assert sent[[2, 6]].tolist() == [0, 0]
    assert sent == pytest.approx(np.array([500, 1500, 0, 2000] * 2), abs=4 * 2000**0.5)


def test_twice_the_rate_is_the_same_traffic_in_half_the_time():
    slow, fast = everything(mixture(count=20, cv=3)), everything(mixture(count=20, cv=3, rate=20.0))
    assert np.abs(slow.at_ps - 2 * fast.at_ps).max() <= 2
    assert slow.client.tolist() == fast.client.tolist()


def test_other_lengths_or_a_curve_leave_the_other_draws_alone():
    lognormal = {"kind": "lognormal", "mean": 500, "sigma": 1.0, "between": 1.0}
    plain = everything(mixture(count=5, output_tokens=lognormal))
    other = everything(mixture(count=5, output_tokens=lognormal, prompt_tokens=lognormal))
    curved = everything(mixture(count=5, output_tokens=lognormal, diurnal={"rates": [1, 2]}))
    assert plain.at_ps.tolist() == other.at_ps.tolist()
    assert plain.output_tokens.tolist() == other.output_tokens.tolist() == curved.output_tokens.tolist()
    assert plain.client.tolist() == curved.client.tolist()


def test_more_clients_leave_what_the_first_are_like():
    few, many = mixture(count=3, skew=0, rate=3), mixture(count=6, skew=0, rate=6)
    assert [few.cv_of(client) for client in range(3)] == [many.cv_of(client) for client in range(3)]
    mine = [of_client(everything(workload), 2).at_ps[:500].tolist() for workload in (few, many)]
    assert mine[0] == mine[1]


def test_left_out_everything_is_like_m_large():
    workload = clients({}, rate=10, requests=1000)
    assert workload.shares[0] == pytest.approx(0.234, abs=0.001)
    assert workload.shares[:10].sum() == pytest.approx(0.626, abs=0.001)
    cvs = [workload.cv_of(client) for client in range(1000)]
    assert np.percentile(cvs, [10, 50, 90]) == pytest.approx([0.7, 1.17, 4.3], rel=0.05)
    assert "skew=1.1" in workload.source


def test_replications_meet_other_clients():
    assert mixture(count=1).cv_of(0) != mixture(count=1, replication=1).cv_of(0)


def test_the_first_draws_stay_these_from_version_to_version():
    first = everything(clients({}, rate=10, requests=3))
    assert first.at_ps.tolist() == [10_421_815_716, 219_006_002_285, 446_917_400_915]
    assert first.prompt_tokens.tolist() == [712, 815, 145]
    assert first.client.tolist() == [4, 4, 84]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"count": 0}, "clients.count: must be a whole number between 1 and 1000, got 0"),
        ({"skw": 1}, "clients.skw: unknown key (did you mean 'skew'?)"),
        ({"skew": -1}, "clients.skew: must be a number between 0 and 10, got -1"),
        ({"cv": 0}, "clients.cv: must be a number between 0.001 and 100, got 0"),
        ({"cv": {"probabilities": [0, 1], "values": [1, 200]}}, "clients.cv.values: must be at most 100, got 200"),
        ({"prompt_tokens": 5}, "clients.prompt_tokens: must be a mapping with a kind, got 5"),
        (
            {"prompt_tokens": FIXED | {"between": 1}},
            "clients.prompt_tokens.between: is for kind lognormal or mixture, got it with fixed",
        ),
        ({"diurnal": {"rates": [0, 0]}}, "clients.diurnal.rates: must not all be 0"),
        ({"diurnal": [1, 2]}, "clients.diurnal: must be a mapping, got [1, 2]"),
        ({"diurnal": {"rates": [1], "days": 2}}, "clients.diurnal.days: unknown key"),
    ],
)
def test_a_mistake_is_named(given, problem):
    with pytest.raises(ParameterError) as error:
        mixture(**given)
    assert any(found.startswith(problem) for found in error.value.problems), error.value.problems


def test_rate_and_requests_are_needed():
    with pytest.raises(ParameterError) as error:
        clients({}, rate=None, requests=None)
    assert error.value.problems == [
        "rate: must be a number > 0, got nothing",
        "requests: must be a whole number >= 1, got nothing",
    ]
