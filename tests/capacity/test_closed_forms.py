"""Where counting steps gives the capacity, the search finds it."""

import pytest

from tests.capacity.flat import ONE, POISSON, SERVICE_S, capacity, only


def test_evenly_spaced_requests_are_carried_up_to_the_rate_of_the_server(tmp_path):
    entry = only(capacity(tmp_path, low=5, high=20, seeds=1))
    (seed,) = entry["seeds"]
    assert entry["outcome"] == "found"
    # At the 100th request a rate of 10 (1 + e) has it wait 10 e seconds: 10 misses of 5 ms come at e = 0.0006.
    assert seed["met"] <= 10.01
    assert seed["missed"] >= 10.0
    assert entry["value"] == pytest.approx(1 / SERVICE_S, rel=0.01)
    assert entry["check"]["confirmed"]
    assert entry["check"]["before"]["met"]
    assert not entry["check"]["beyond"]["met"]


def test_the_rate_of_an_md1_queue_with_a_given_wait_is_that_of_the_formula(tmp_path):
    """Mean wait = load x service / (2 (1 - load)): half a service at a load of one half."""
    text = POISSON.replace("requests: 100", "requests: 2500")
    entry = only(capacity(tmp_path, text, low=4, high=6.5, seeds=4, slo=["mean_queue_ms<=50"]))
    assert entry["ci_low"] < 0.5 / SERVICE_S < entry["ci_high"]
    assert entry["mean"] == pytest.approx(0.5 / SERVICE_S, rel=0.05)


def test_the_fewest_instances_are_a_whole_number(tmp_path):
    found = capacity(tmp_path, ONE.replace("rate: 3", "rate: 35"), "cluster.instances", seeds=1)
    entry = only(found)
    assert (found.data["find"], found.data["whole"]) == ("lowest", True)
    # 35 a second on servers of 10: three are too few.
    assert (entry["value"], entry["seeds"][0]["met"], entry["seeds"][0]["missed"]) == (4, 4, 3)
    assert entry["check"]["confirmed"]
    assert entry["check"]["at"]["met"]
    assert (entry["check"]["beyond"]["value"], entry["check"]["beyond"]["met"]) == (3, False)


def test_a_sweep_says_where_to_begin_and_its_other_keys_stay(tmp_path):
    text = ONE + "sweep: {workload.rate: [5, 20], cluster.instances: [1, 3]}\n"
    found = capacity(tmp_path, text, seeds=1)
    assert [entry["point"] for entry in found.data["results"]] == [{"cluster.instances": 1}, {"cluster.instances": 3}]
    values = [entry["value"] for entry in found.data["results"]]
    assert values == [pytest.approx(10, rel=0.01), pytest.approx(30, rel=0.01)]
    assert found.data["runs"][0]["point"] == {"cluster.instances": 1, "workload.rate": 10.0}


def test_what_is_met_at_the_end_of_the_search_is_unbounded(tmp_path):
    found = capacity(tmp_path, high=6, seeds=2)
    entry = only(found)
    assert (entry["outcome"], entry["value"], entry["check"]) == ("unbounded", None, None)
    assert [seed["met"] for seed in entry["seeds"]] == [6, 6]


def test_what_is_missed_at_the_easy_end_is_infeasible(tmp_path):
    entry = only(capacity(tmp_path, low=12, high=40, seeds=2))
    assert (entry["outcome"], entry["value"]) == ("infeasible", None)
    assert [seed["missed"] for seed in entry["seeds"]] == [12, 12]


def test_where_the_study_cannot_run_the_search_ends_and_says_why(tmp_path):
    # A prompt of 100 tokens and the next need 7 blocks of 16.
    text = ONE.replace("tokens: 10}\n  output", "tokens: 100}\n  output").replace("kv_blocks: 1000", "kv_blocks: 20")
    entry = only(capacity(tmp_path, text, "cluster.kv_blocks", seeds=1))
    assert (entry["outcome"], entry["seeds"][0]["met"]) == ("unbounded", 7)
    assert "no request can run" in entry["reason"]


def test_a_value_met_beyond_one_that_is_missed_is_not_monotone(tmp_path):
    """At 4 a second the throughput is missed, at 6 all is met."""
    entry = only(
        capacity(
            tmp_path, ONE.replace("rate: 3", "rate: 4"), seeds=1, slo=["request_throughput>=5", "mean_ttft_ms<=15"]
        )
    )
    assert entry["outcome"] == "not monotone"
    (odd,) = entry["not_monotone"]
    assert odd["met"] == 6
    assert odd["missed"] < 5


def test_the_argument_of_a_policy_can_be_varied_and_concerns_its_system_alone(tmp_path):
    # At 35 a second, four requests must run at once.
    text = ONE.replace("rate: 3", "rate: 35").replace("ttft_ms: 15", "ttft_ms: 30") + "  other: {}\n"
    found = capacity(tmp_path, text, "systems.one.scheduler.max_num_seqs", find="lowest", seeds=1)
    assert (only(found)["system"], only(found)["value"]) == ("one", 4)


def test_twice_the_requests_tell_a_queue_that_had_no_time_to_grow(tmp_path):
    """10 requests in a burst that lasts as long as the run: twice as many wait twice as long."""
    text = ONE.replace("ttft_ms: 15", "ttft_ms: 60")
    entry = only(capacity(tmp_path, text, seeds=2, check_length=True, tolerance=0.002))
    length = entry["check"]["length"]
    assert length["longer"]["requests"] == 200
    assert not length["longer"]["met"]
    assert length["tells"] == "surely"
    assert length["shift"]["mean"] < -0.002
