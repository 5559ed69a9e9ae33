"""Skipped rows: bad rows of twenty kinds, each placed by file and line, or left out and counted."""

import gzip

import pytest

from tests.traces.written import left_out, lines, request, seen
from traces import TraceError, open_trace

AZURE = ("TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:15:46,5,5")
BURST = ("Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type", "5,M,5,5,10,x")
VIDUR = ("arrived_at,num_prefill_tokens,num_decode_tokens", "5,5,5")
APEX = ("ContextTokens,GeneratedTokens,RequestID,TotalTokens,StartTimeOffset", "5,5,a,10,5")
TIMED = ({"timestamp": 5, "input_length": 17, "output_length": 5, "hash_ids": [1, 2]},)
AIPERF = ({"session_id": "a", "timestamp": 5, "input_length": 5, "output_length": 5},)
KINDS = [
    (AZURE, "2023-11-16 18:15:47,5", "3 cells expected"),
    (AZURE, "2023-11-16 18:15:47,5,5,5", "3 cells expected"),
    (AZURE, "2023-11-16 18:15:47,five,5", "must be a whole number"),
    (AZURE, "2023-11-16 18:15:47,5,0", "failed or was cut off"),
    (AZURE, "yesterday,5,5", "must be a date"),
    (AZURE, "2023-11-16 18:15:45,5,5", "time goes backwards"),
    (AZURE, "2033-11-16 18:15:47,5,5", "s away from the first row"),
    (BURST, "6,M,5,0,5,x", "failed or was cut off"),
    (BURST, "6,M,5,5,11,x", "Total tokens: must be"),
    (BURST, "6,M,-5,5,0,x", "must be between 1"),
    (VIDUR, "-6,5,5", "number >= 0"),
    (VIDUR, "6,5.5,5", "must be a whole number"),
    (APEX, "5,5,a,10,", "must be a date"),
    ((request(5),), '{"timestamp": 6, "input_len', "not JSON"),
    ((request(5),), "[6, 5, 5, []]", "a row must be an object"),
    ((request(5),), request(6).replace("output_length", "output"), "did you mean 'output_length'?"),
    ((request(5),), request(6, 600, 5, [1]), "must hold one id per 512-token block"),
    ((request(5),), request(6, hash_ids=[-1]), "must be a list of whole numbers >= 0"),
    (TIMED, {"timestamp": "6", "input_length": 5, "output_length": 5, "hash_ids": [1]}, "must be a number of seconds"),
    (TIMED, {"timestamp": 6, "input_length": 10**10, "output_length": 5, "hash_ids": [1]}, "must be between 1"),
    (AIPERF, {"session_id": "a", "delay": -1, "input_length": 5, "output_length": 5}, "delay: must be >= 0"),
    (AIPERF, {"session_id": "b", "input_length": 5, "output_length": 5}, "must have a timestamp"),
]


@pytest.mark.parametrize(("sound", "bad", "message"), KINDS)
def test_a_bad_row_stops_the_reading_at_its_line_or_is_left_out_and_counted(tmp_path, sound, bad, message):
    path = lines(tmp_path, "trace", *sound, bad)
    with pytest.raises(TraceError) as error:
        open_trace(path)
    assert error.value.problems[0].startswith(f"{path}:{len(sound) + 1}:")
    assert message in error.value.problems[0]
    trace = open_trace(path, bad_rows="skip")
    assert (trace.requests, left_out(trace)) == (1, 1)
    assert "1 bad row left out" in trace.source


def test_what_is_left_out_holds_up_nobody_behind_it(tmp_path):
    rows = ("2023-11-16 18:15:40,1,1", "2023-11-16 18:15:39,2,2", "2023-11-16 18:15:39,3,3", "2023-11-16 18:15:41,4,4")
    trace = open_trace(lines(tmp_path, "azure.csv", AZURE[0], *rows, "2023-11-16 18:15:42,5,5"), bad_rows="skip")
    assert seen(trace).prompt_tokens.tolist() == [1, 4, 5]


def test_rows_are_left_out_alike_from_every_piece(tmp_path):
    rows = [f"{index},M,{index + 1},{index % 3},{index + 1 + index % 3},x" for index in range(10_000)]
    trace = open_trace(lines(tmp_path, "burst.csv", BURST[0], *rows), bad_rows="skip")
    assert (trace.requests, left_out(trace)) == (6_666, 3_334)
    assert seen(trace).prompt_tokens.tolist() == [index + 1 for index in range(10_000) if index % 3]
    assert seen(trace).at_ps[-1] == (9_998 - 1) * 10**12


def test_the_first_requests_are_the_first_sound_rows(tmp_path):
    path = lines(
        tmp_path, "burst.csv", BURST[0], *(f"{index},M,1,{index % 2},{1 + index % 2},x" for index in range(40))
    )
    trace = open_trace(path, bad_rows="skip", requests=5)
    assert seen(trace).at_ps.tolist() == [second * 10**12 for second in (0, 2, 4, 6, 8)]


def test_a_trace_that_is_read_again_leaves_out_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("traces.survey.KEPT_NUMBERS", 0)
    path = lines(tmp_path, "burst.csv", *BURST, "6,M,5,0,5,x", "7,M,8,5,13,x")
    assert seen(open_trace(path, bad_rows="skip")).prompt_tokens.tolist() == [5, 8]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (("TIMESTAMP,ContextTokens", "5,5"), "1:24: missing column GeneratedTokens"),
        ((AZURE[0],), "2:1: the file has no rows"),
        (("",), "1:1: the first line is blank"),
    ],
)
def test_what_is_wrong_with_the_file_is_never_left_out(tmp_path, rows, problem):
    path = lines(tmp_path, "azure.csv", *rows)
    with pytest.raises(TraceError) as error:
        open_trace(path, bad_rows="skip")
    assert error.value.problems[0] == f"{path}:{problem}"


def test_damaged_compression_is_never_left_out(tmp_path):
    path = tmp_path / "azure.csv.gz"
    path.write_bytes(gzip.compress("\n".join([AZURE[0], *(f"{i},5,5" for i in range(9999))]).encode())[:-9])
    with pytest.raises(TraceError, match="truncated or damaged here"):
        open_trace(path, bad_rows="skip")


def test_a_file_of_mostly_bad_rows_is_refused_with_the_first_reasons(tmp_path):
    path = lines(tmp_path, "azure.csv", *AZURE, *("5,x,5" for _ in range(100)))
    with pytest.raises(TraceError) as error:
        open_trace(path, bad_rows="skip")
    first, second, *others = error.value.problems
    assert first.endswith("100 rows are bad and 1 are not: this is more than some bad rows to leave out")
    assert second.startswith(f"{path}:3:3: ContextTokens: must be a whole number, got 'x'")
    assert len(others) == 18


def test_bad_rows_are_stopped_at_or_skipped_and_nothing_else(tmp_path):
    with pytest.raises(ValueError, match="bad_rows: must be one of stop, skip, got 'ignore'"):
        open_trace(lines(tmp_path, "azure.csv", *AZURE), bad_rows="ignore")
