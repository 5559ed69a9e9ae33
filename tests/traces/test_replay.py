"""Replay: a file as recorded, at another rate, or its first rows."""

import math
import pickle

import pytest

from simcore.contract import Workload
from tests.traces.written import SAMPLES, azure, whole
from traces import Replay, open_trace

SECONDS = ("0,1,1", "1,2,1", "3,3,1", "4,4,1")


def test_the_rate_is_gaps_over_span(tmp_path):
    assert open_trace(azure(tmp_path, *SECONDS)).rate == 0.75


def test_a_rate_stretches_all_times_alike(tmp_path):
    trace = open_trace(azure(tmp_path, *SECONDS), rate=1.5)
    assert trace.rate == 1.5
    assert whole(trace).at_ps.tolist() == [0, 500_000_000_000, 1_500_000_000_000, 2_000_000_000_000]


def test_the_first_rows_have_their_own_rate(tmp_path):
    trace = open_trace(azure(tmp_path, *SECONDS), requests=2, rate=4)
    assert (trace.requests, trace.rate) == (2, 4.0)
    assert whole(trace).at_ps.tolist() == [0, 250_000_000_000]


def test_a_replay_has_no_randomness():
    path = SAMPLES / "azure_sample.csv"
    first, second = open_trace(path, seed=1), open_trace(path, seed=2, replication=3)
    assert whole(first).at_ps.tolist() == whole(second).at_ps.tolist()
    assert whole(first).at_ps.tolist() == whole(first).at_ps.tolist()


def test_the_source_names_the_file_by_its_content(tmp_path):
    path = azure(tmp_path, *SECONDS)
    before = open_trace(path).source
    azure(tmp_path, *SECONDS, "5,5,5")
    assert before.startswith("azure.csv (azure trace, sha256 ")
    assert open_trace(path).source != before
    assert open_trace(path).requests == 5


def test_a_long_trace_is_read_again_instead_of_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("traces.survey.KEPT_NUMBERS", 3)
    trace = open_trace(azure(tmp_path, *SECONDS))
    assert isinstance(trace, Replay)
    assert trace.survey.kept is None
    assert whole(trace).prompt_tokens.tolist() == whole(trace).prompt_tokens.tolist() == [1, 2, 3, 4]


def test_a_replay_can_be_sent_between_processes(tmp_path, monkeypatch):
    monkeypatch.setattr("traces.survey.KEPT_NUMBERS", 3)
    sent = pickle.loads(pickle.dumps(open_trace(azure(tmp_path, *SECONDS))))
    assert whole(sent).prompt_tokens.tolist() == [1, 2, 3, 4]


def test_requests_that_all_arrive_at_once_have_no_rate_to_scale(tmp_path):
    path = azure(tmp_path, "0,1,1", "0,2,1")
    assert open_trace(path).rate == math.inf
    with pytest.raises(ValueError, match=r"rate: .* no rate to scale, got 2"):
        open_trace(path, rate=2)


def test_more_rows_than_the_file_has_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"requests: must be at most 4, the rows of .*, got 5"):
        open_trace(azure(tmp_path, *SECONDS), requests=5)


def test_a_rate_too_slow_for_the_clock_is_refused(tmp_path):
    with pytest.raises(ValueError, match="rate: must stretch the trace to at most 106 days"):
        open_trace(azure(tmp_path, *SECONDS), rate=1e-7)


def test_a_relative_path_starts_at_its_base():
    assert open_trace("azure_sample.csv", base=SAMPLES).requests == 200


def test_a_replay_is_a_workload():
    workload: Workload = open_trace(SAMPLES / "azure_sample.csv")
    assert (workload.name, workload.classes) == ("azure_sample.csv", ("default",))


@pytest.mark.parametrize(
    ("trace", "given", "message"),
    [
        ("azure_conv_2032", {}, r"no file .*azure_conv_2032.*did you mean 'azure_conv_2023'"),
        ("azure_sampel.csv", {}, "did you mean 'azure_sample.csv'"),
        ("", {}, "a folder must hold ServeGen"),
        (
            "azure_sample.csv",
            {"format": "azuer"},
            "format: must be one of azure, burstgpt, .* got 'azuer' .did you mean 'azure'",
        ),
        ("azure_sample.csv", {"time_unit": "min"}, "time_unit: must be one of s, ms, us, ns, got 'min'"),
        ("azure_sample.csv", {"rate": -1}, "rate: must be a number > 0, got -1"),
        ("azure_sample.csv", {"rate": float("nan")}, "rate: must be a number > 0, got nan"),
        ("azure_sample.csv", {"requests": 0}, "requests: must be a whole number >= 1, got 0"),
        ("azure_conv_2023", {"format": "azure"}, r"format: is for files, .* write ./azure_conv_2023"),
    ],
)
def test_a_mistake_names_the_key_the_rule_and_the_value(trace, given, message):
    with pytest.raises(ValueError, match=message):
        open_trace(trace, base=SAMPLES, **given)


def test_all_mistakes_are_said_at_once():
    with pytest.raises(ValueError, match="rate") as error:
        open_trace("nowhere.csv", rate=0, requests=-1, format="parquet")
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == ["rate", "requests", "format", "trace"]
