"""BurstGPT CSV: both headers, failed requests, totals that are sums."""

import pytest

from tests.traces.written import SAMPLES, left_out, lines, seen
from traces import TraceError, open_trace

SIX = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type"
EIGHT = "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type"


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        (SIX, ("5,ChatGPT,472,18,490,Conversation log", "45,GPT-4,1087,230,1317,API log")),
        (EIGHT, ("5.0,17-22,43,ChatGPT,472,18,490,Conversation log", "45.0,,,GPT-4,1087,230,1317,API log")),
    ],
)
def test_the_files_of_each_release_are_read(tmp_path, header, rows):
    trace = seen(open_trace(lines(tmp_path, "BurstGPT.csv", header, *rows)))
    assert trace.at_ps.tolist() == [0, 40 * 10**12]
    assert trace.prompt_tokens.tolist() == [472, 1087]
    assert trace.output_tokens.tolist() == [18, 230]


def test_a_failed_request_stops_the_reading_and_says_how_to_go_on(tmp_path):
    path = lines(tmp_path, "BurstGPT.csv", SIX, "5,ChatGPT,472,18,490,API log", "6,ChatGPT,472,0,472,API log")
    with pytest.raises(TraceError) as error:
        open_trace(path)
    (problem,) = error.value.problems
    assert problem.startswith(f"{path}:3:15: Response tokens: must be between 1 and 1,000,000,000 tokens, got '0'")
    assert problem.endswith("a request without an answer failed or was cut off; bad_rows: skip leaves such rows out)")


def test_failed_requests_are_left_out_and_counted_if_asked(tmp_path):
    path = lines(tmp_path, "BurstGPT.csv", SIX, "5,M,4,1,5,x", "6,M,4,0,4,x", "7,M,4,2,6,x", "7,M,9,0,9,x")
    trace = open_trace(path, bad_rows="skip")
    assert seen(trace).output_tokens.tolist() == [1, 2]
    assert (trace.requests, left_out(trace)) == (2, 2)
    assert "burstgpt trace, 2 bad rows left out, sha256" in trace.source


def test_a_total_that_is_no_sum_is_a_broken_row(tmp_path):
    path = lines(tmp_path, "BurstGPT.csv", SIX, "5,M,400,10,411,x")
    with pytest.raises(
        TraceError, match=r":2:12: Total tokens: must be Request tokens \+ Response tokens = 410, got '411'"
    ):
        open_trace(path)


def test_models_and_ways_of_calling_become_classes_by_their_columns(tmp_path):
    path = lines(tmp_path, "BurstGPT.csv", SIX, "5,M,4,1,5,API log", "6,M,4,3,7,Conversation log", "7,M,4,2,6,API log")
    columns = {"arrival": "Timestamp", "prompt_tokens": "Request tokens", "output_tokens": "Response tokens"}
    trace = open_trace(path, columns={**columns, "class": "Log Type"})
    assert trace.classes == ("API_log", "Conversation_log")
    assert seen(trace).request_class.tolist() == [0, 1, 0]


def test_the_sample_has_two_failed_requests():
    sample = open_trace(SAMPLES / "burstgpt_sample.csv", bad_rows="skip")
    assert (sample.requests, left_out(sample)) == (38, 2)
