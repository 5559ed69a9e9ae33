"""Mapped columns: any CSV or JSON lines, told which column says what."""

import pytest

from tests.traces.written import lines, seen
from traces import ParameterError, TraceError, check, open_trace

COLUMNS = {"arrival": "ts", "prompt_tokens": "in", "output_tokens": "out"}
CSV = ("out,user,in,ts", "10,ann,1,0", "20,bob,2,1500")


@pytest.mark.parametrize(("unit", "ps"), [("s", 10**12), ("ms", 10**9), ("us", 10**6), ("ns", 10**3)])
def test_a_csv_file_is_read_in_any_unit(tmp_path, unit, ps):
    trace = seen(open_trace(lines(tmp_path, "own.csv", *CSV), columns=COLUMNS, time_unit=unit))
    assert trace.at_ps.tolist() == [0, 1500 * ps]
    assert (trace.prompt_tokens.tolist(), trace.output_tokens.tolist()) == ([1, 2], [10, 20])


def test_json_lines_are_read_and_dates_too(tmp_path):
    rows = ({"ts": f"2026-01-01T00:00:0{second}Z", "in": 5, "out": 6, "deep": {"in": 7}} for second in (1, 3))
    assert seen(open_trace(lines(tmp_path, "own.jsonl", *rows), columns=COLUMNS)).at_ps.tolist() == [0, 2 * 10**12]


def test_numbers_since_1970_are_exact_in_nanoseconds(tmp_path):
    path = lines(tmp_path, "own.jsonl", *({"ts": 1_753_780_607_550_317_897 + add, "in": 5, "out": 6} for add in (0, 3)))
    assert seen(open_trace(path, columns=COLUMNS, time_unit="ns")).at_ps.tolist() == [0, 3000]


def test_nanoseconds_read_as_seconds_are_caught(tmp_path):
    path = lines(tmp_path, "own.csv", "ts,in,out", *(f"{index * 10**9 // 4},1,1" for index in range(200)))
    for bad_rows in ("stop", "skip"):
        with pytest.raises(TraceError, match=r"more than 9,000,000 s away from the first row: another time_unit\?"):
            open_trace(path, columns=COLUMNS, bad_rows=bad_rows)
    assert open_trace(path, columns=COLUMNS, time_unit="ns").rate == 4.0


def test_a_wrong_unit_names_each_that_may_be_true(tmp_path):
    path = lines(tmp_path, "own.csv", "ts,in,out", *(f"{index * 2500},1,1" for index in range(200)))
    (problem,) = check(path, columns=COLUMNS)
    assert "Read as seconds, the unit if none is named, 200 requests arrive in 497500 s" in problem
    assert "(0.4 req/s if they are milliseconds, 400 req/s if they are microseconds)" in problem
    assert problem.endswith("Say which it is: time_unit: ms or time_unit: us, or time_unit: s to keep it")


def test_a_column_names_the_classes(tmp_path):
    trace = open_trace(lines(tmp_path, "own.csv", *CSV, "5,ann,6,1600"), columns={**COLUMNS, "class": "user"})
    assert trace.classes == ("ann", "bob")
    assert trace.priorities == (0, 0)
    assert seen(trace).request_class.tolist() == [0, 1, 0]


def test_an_id_is_no_class(tmp_path):
    rows = (f"1,user{index},1,{index}" for index in range(1200))
    (problem,) = check(lines(tmp_path, "own.csv", CSV[0], *rows), columns={**COLUMNS, "class": "user"})
    assert "user: more than 1,000 classes up to here: is it an id?" in problem


@pytest.mark.parametrize("cell", ['"[7, 8]"', "7 8", "7;8"])
def test_hash_ids_stand_in_a_cell(tmp_path, cell):
    path = lines(tmp_path, "own.csv", "ts,in,out,ids", f"0,30,1,{cell}")
    with_ids = {**COLUMNS, "hash_ids": "ids"}
    assert seen(open_trace(path, columns=with_ids, block_tokens=16)).head.keys.tolist() == [7, 8]
    assert "columns: hash_ids: needs block_tokens" in check(path, columns=with_ids)[0]


def test_what_the_columns_leave_out_is_drawn(tmp_path):
    path = lines(tmp_path, "own.csv", *CSV)
    columns = {"arrival": "ts", "output_tokens": "out"}
    trace = seen(open_trace(path, columns=columns, prompt_tokens={"kind": "fixed", "tokens": 9}))
    assert (trace.at_ps.tolist(), trace.prompt_tokens.tolist()) == ([0, 1500 * 10**12], [9, 9])


def test_an_unknown_column_lists_those_of_the_file(tmp_path):
    wrong = {**COLUMNS, "prompt_tokens": "inn"}
    assert check(lines(tmp_path, "own.csv", *CSV), columns=wrong)[0].endswith(
        "own.csv:1:15: missing column 'inn' (did you mean 'in'?); the file has out, user, in, ts"
    )
    assert check(lines(tmp_path, "own.jsonl", {"ts": 1, "in": 2, "out": 3}), columns=wrong)[0].endswith(
        "own.jsonl:1:1: missing column 'inn' (did you mean 'in'?); the file has ts, in, out"
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"arival": "ts"}, r"columns.arival: unknown key \(did you mean 'arrival'\?\)"),
        ({"arrival": "ts"}, "columns: must name prompt_tokens, output_tokens or both, got neither"),
        ({"output_tokens": "out", "hash_ids": "ids"}, "columns.hash_ids: needs prompt_tokens beside it"),
        ({"prompt_tokens": "in", "total_tokens": "all"}, "columns.total_tokens: needs output_tokens beside it"),
        ({"prompt_tokens": 3}, "columns.prompt_tokens: must be the name of a column, got 3"),
        ({"prompt_tokens": "in", "chars_per_token": 0}, "columns.chars_per_token: must be a number > 0, got 0"),
        ("ts", "columns: must be a mapping from arrival, prompt_tokens"),
    ],
)
def test_a_mistake_in_the_mapping_is_named(tmp_path, columns, message):
    with pytest.raises(ParameterError, match=message):
        open_trace(lines(tmp_path, "own.csv", *CSV), columns=columns)


def test_columns_and_a_format_are_one_too_many(tmp_path):
    with pytest.raises(ParameterError, match="format: columns say how to read the file"):
        open_trace(lines(tmp_path, "own.csv", *CSV), columns=COLUMNS, format="azure")
