"""Broken rows in recorded conversations: placed by file, line and column, or left out with their conversation."""

import pytest

from tests.traces.conversing import (
    a_round,
    answers,
    asked,
    calls,
    opened,
    problems,
    rounds,
    steps,
    talk,
    whole,
    written,
)
from traces import TraceError
from traces.problems import LIMIT

GOOD = talk(asked(0, [1, 2]))
NESTED = {
    "t": 9,
    "type": "subagent",
    "duration_ms": 1,
    "tool_tokens": 0,
    "system_tokens": 0,
    "requests": [asked(0, [1])],
}


def broken(old, new):
    return GOOD.replace(old, new)


@pytest.mark.parametrize(
    ("line", "anchor", "message"),
    [
        ("[1]", "[1]", "a row must be an object, got '[1]'"),
        (broken('"block_size": 4, ', ""), "{", "missing key block_size"),
        (
            broken('"block_size": 4', '"block_size": 0'),
            '"block_size"',
            "block_size: must be a whole number of tok",
        ),
        (
            broken('"tool_tokens": 0', '"tool_tokens": -1'),
            '"tool_tokens"',
            "tool_tokens: must be a whole number of tok",
        ),
        (
            broken('"system_tokens": 0', '"system_tokens": "x"'),
            '"system_tokens"',
            "system_tokens: must be a whole",
        ),
        (talk(), "{", "requests: must hold at least one request, got none"),
        (talk(requests=[3]), '"requests"', "requests: must be a list of objects, got '[3]'"),
        (talk(requests=None), '"requests"', "requests: must be a list of objects, got 'null'"),
        (broken('"in": 8', '"in": 8.5'), '"in"', "requests[0].in: must be a whole number of tokens between 1 and 1,0"),
        (broken('"in": 8', '"in": true'), '"in"', "requests[0].in: must be a whole number"),
        (broken('"in": 8', '"in": 0'), '"in"', "requests[0].in: must be a whole number of tokens between 1"),
        (broken('"in": 8, ', ""), '{"t"', "missing key requests[0].in"),
        (broken('"out": 1', '"out": -1'), '"out"', "requests[0].out: must be a whole number of tokens between 0"),
        (broken('"t": 0', '"t": -1'), '"t"', "requests[0].t: must be between 0 and 9,000,000 seconds, got '-1'"),
        (broken('"t": 0', '"t": NaN'), "NaN", "not JSON (NaN"),
        (broken('"type": "n"', '"type": "q"'), '"type"', "requests[0].type: must be n, s or subagent, got '\"q\"'"),
        (broken("[1, 2]", "[1, 2.5]"), '"hash_ids"', "requests[0].hash_ids: must be a list of whole numbers"),
        (broken("[1, 2]", "[1, true]"), '"hash_ids"', "requests[0].hash_ids: must be a list of whole numbers"),
        (broken("[1, 2]", "7"), '"hash_ids"', "requests[0].hash_ids: must be a list of whole numbers"),
        (broken("[1, 2]", "[1]"), '"hash_ids"', "must hold one id per whole block of 4 tokens, 2 for 8 tokens, not 1"),
        (broken("[1, 2]", f"[1, {2**63}]"), '"hash_ids"', "requests[0].hash_ids: must be numbers below 2^63"),
        (talk(asked(0, [1], think_time="x")), '"think_time"', "requests[0].think_time: must be between 0 and"),
        (talk(asked(0, [1]), asked(1, [1], api_time=-3)), '"api_time"', "requests[1].api_time: must be between 0 and"),
        (talk(asked(0, [1]), asked(1, [1]) | {"out": "x"}), '"out"', "requests[1].out: must be a whole number"),
        (
            talk(NESTED | {"duration_ms": "x"}),
            '"duration_ms"',
            "requests[0].duration_ms: must be a whole number of m",
        ),
        (talk(NESTED | {"system_tokens": -1}), '"system_tokens"', "requests[0].system_tokens: must be a whole number"),
    ],
)
def test_a_broken_coding_conversation_is_placed_by_line_and_column(tmp_path, line, anchor, message):
    found = problems(written(tmp_path, "kv", [GOOD, line, GOOD]))
    column = 1 if anchor == "NaN" else (line.index(anchor) if anchor == "{" else line.rindex(anchor)) + 1
    assert found[0].startswith(f"2:{column}: ")
    assert message in found[0]


def test_a_line_cut_short_is_placed_where_it_ends(tmp_path):
    line, column = GOOD[: GOOD.index('"hash_ids"') + 3], GOOD.index('"hash_ids"') + 1
    assert problems(written(tmp_path, "kv", [GOOD, line]))[0].startswith(f"2:{column}: not JSON (Unterminated string")


def test_a_fault_in_a_nested_conversation_is_placed_there(tmp_path):
    nested = {"t": 9, "type": "subagent", "duration_ms": 1, "tool_tokens": 0, "system_tokens": 0}
    line = talk(asked(0, [1]), nested | {"requests": [asked(0, [1]), asked(0, [1]) | {"out": None}]})
    found = problems(written(tmp_path, "kv", [line]))
    column = line.rindex('"out"') + 1
    assert found[0].startswith(f"1:{column}: requests[1].requests[1].out: must be a whole number")


CALL = "a,{},m,0,{},{},100,30,1"


@pytest.mark.parametrize(
    ("row", "place", "message"),
    [
        ("a,1,m,0,2,3,100", "3:1", "9 cells expected, as in the header, got 7"),
        ("a,1,m,0,2,3,100,30,1,9", "3:1", "9 cells expected, as in the header, got 10"),
        ("a,x,m,0,2,3,100,30,1", "3:3", "step: must be a whole number, got 'x'"),
        ("a,0,m,0,2,3,100,30,1", "3:3", "step: must be above that of the row above it, got '0'"),
        ("a,1,m,2,2,3,100,30,1", "3:7", "sidechain: must be between 0 and 1, got '2'"),
        ("a,1,m,0,x,3,100,30,1", "3:9", "request_s: must be between 0 and 9,000,000 seconds, got 'x'"),
        ("a,1,m,0,nan,3,100,30,1", "3:9", "request_s: must be between 0 and 9,000,000 seconds, got 'nan'"),
        ("a,1,m,0,-2,3,100,30,1", "3:9", "request_s: must be between 0 and 9,000,000 seconds, got '-2'"),
        ("a,1,m,0,0.5,3,100,30,1", "3:1", "request_s: 0.5 s before the call above it has ended"),
        ("a,1,m,0,2,,100,30,1", "3:11", "response_s: must be between 0 and 9,000,000 seconds, got ''"),
        ("a,1,m,0,2,3,0,30,1", "3:13", "input_tokens: must be between 1 and 1,000,000,000 tokens, got '0'"),
        ("a,1,m,0,2,3,1.5,30,1", "3:13", "input_tokens: must be a whole number, got '1.5'"),
        ("a,1,m,0,2,3,1_000,30,1", "3:13", "input_tokens: must be a whole number, got '1_000'"),
        ("a,1,m,0,2,3,\u0663,30,1", "3:13", "input_tokens: must be a whole number"),
        ("a,1,m,0,2,3,100,-3,1", "3:17", "output_tokens: must be between 0 and 1,000,000,000 tokens, got '-3'"),
        ("a,1,m,0,2,3,100,99999999999999999999,1", "3:17", "output_tokens: must be between 0"),
        ("a,1,m,0,2,3,100,,1", "3:17", "output_tokens: must be a whole number, got ''"),
    ],
)
def test_a_broken_model_call_is_placed_by_line_and_column(tmp_path, row, place, message):
    found = problems(calls(tmp_path, CALL.format(0, 0, 1), row))
    assert found[0].startswith(place)
    assert message in found[0]


def test_a_broken_tool_call_is_placed_in_its_own_file(tmp_path):
    path = calls(tmp_path, CALL.format(0, 0, 1), tools=["a,0,0,Bash,1,soon,1"])
    with pytest.raises(TraceError) as error:
        opened(path)
    tools = tmp_path / "tool_calls_x.csv"
    assert error.value.problems == [f"{tools}:2:14: end_s: must be between 0 and 9,000,000 seconds, got 'soon'"]


def test_a_tool_table_without_its_columns_is_refused(tmp_path):
    path = calls(tmp_path, CALL.format(0, 0, 1), tools=[])
    (tmp_path / "tool_calls_x.csv").write_text("session,step\n")
    with pytest.raises(TraceError, match=r"tool_calls_x\.csv:1:13: missing column tool"):
        opened(path)


@pytest.mark.parametrize(
    ("row", "place", "message"),
    [
        ("a,1,99,10,0,5,0,7", "3:5", "created: must not be below that of the row above it, got '99'"),
        ("a,1,9999999999,10,0,5,0,7", "3:5", "created: must be between 0 and 5,000,000,000 seconds"),
        ("a,1,101,0,0,5,0,7", "3:9", "prompt_tokens: must be between 1"),
        ("a,1,101,10,0,x,0,7", "3:14", "completion_tokens: must be a whole number, got 'x'"),
    ],
)
def test_a_broken_step_is_placed_by_line_and_column(tmp_path, row, place, message):
    found = problems(steps(tmp_path, "a,0,100,10,0,5,0,7", row))
    assert found[0].startswith(place)
    assert message in found[0]


START = [("user_message", "01"), ("text", "02")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (a_round(1, 0, 1, START), "input_tokens_total: must be a whole number of tokens between 1"),
        (a_round(1, 1, 1, START) | {"output_tokens": None}, "output_tokens: must be a whole number"),
        (a_round(0, 1, 1, START), "round_index: must be above that of the row above it, got '0'"),
        (a_round(1, 1, 1, []), "timing_events: must be a list of at least one event, got '[]'"),
        (a_round(1, 1, 1, [("text", "99")]), "timing_events: must be objects with an event_type and a timestamp like"),
        (a_round(1, 1, 1, START) | {"timing_events": [3]}, "timing_events: must be objects with an event_type"),
        (a_round(1, 1, 1, START) | {"tools": [{}]}, "tools: must be a list of objects with a tool_name"),
        (a_round(1, 1, 1, START) | {"tools": 3}, "tools: must be a list of objects with a tool_name"),
        (a_round(1, 1, 1, START) | {"session_id": 3}, "session_id: must be a text"),
    ],
)
def test_a_broken_round_is_placed_by_line(tmp_path, row, message):
    found = problems(rounds(tmp_path, a_round(0, 1, 1, START), row))
    assert found[0].startswith("2:")
    assert message in found[0]


@pytest.mark.parametrize(
    ("row", "place", "message"),
    [
        ("b,p,m,1,x,0,stop", "3:9", "tokens_completion: must be a whole number, got 'x'"),
        ("b,p,m,1,-7,0,stop", "3:9", "tokens_completion: must be between 1 and 1,000,000,000 tokens, got '-7'"),
        ("b,p,m,0,7,0,stop", "3:7", "sample: must be above that of the row above it, got '0'"),
    ],
)
def test_a_broken_answer_is_placed_by_line_and_column(tmp_path, row, place, message):
    found = problems(answers(tmp_path, "b,p,m,0,7,0,stop", row))
    assert found[0].startswith(place)
    assert message in found[0]


def test_rows_of_a_conversation_stand_below_each_other(tmp_path):
    found = problems(steps(tmp_path, "a,0,100,10,0,5,0,7", "b,0,100,10,0,5,0,7", "a,1,101,10,0,5,0,7"))
    assert found == ["4:1: instance_id 'a' again: the rows of a conversation must stand below each other"]


def test_a_conversation_without_end_is_refused(tmp_path):
    endless = (f"a,{i},100,10,0,5,0,7" for i in range(10_001))
    assert problems(steps(tmp_path, *endless)) == ["2:1: instance_id 'a': more than 10,000 turns"]


def test_everything_wrong_is_said_at_once_up_to_twenty(tmp_path):
    rows = [f"r{i},0,100,{'x' if i % 2 else 10},0,5,0,7" for i in range(10)]
    assert [problem.split(": ")[0] for problem in problems(steps(tmp_path, *rows))] == [
        f"{line}:10" for line in (3, 5, 7, 9, 11)
    ]
    many = problems(steps(tmp_path, *(f"r{i},0,100,x,0,5,0,7" for i in range(99))))
    assert len(many) == LIMIT
    assert many[-1].endswith("(stopped after 20 problems)")


def test_skipping_leaves_out_the_whole_conversation_and_counts_it(tmp_path):
    rows = [
        "a,0,100,10,0,5,0,7",
        "a,1,101,x,0,5,0,7",
        "a,2,102,30,0,5,0,7",
        "b,0,100,40,0,5,0,7",
        "c,0,1",
        "d,0,1,2,3,4,5,6",
    ]
    workload = opened(steps(tmp_path, *rows), bad_rows="skip")
    # A row too short to name its run belongs to the one above it.
    assert whole(workload).prompt_tokens.tolist() == [2]
    assert workload.skipped == 2
    assert "; 2 conversations with bad rows left out" in workload.source


def test_a_file_of_broken_conversations_has_none(tmp_path):
    path = written(tmp_path, "kv", [broken('"in": 8', '"in": 0')])
    assert problems(path, bad_rows="skip") == ["1:1: the file has no conversations without a broken row"]


def test_only_the_asked_conversations_are_judged(tmp_path):
    path = written(tmp_path, "kv", [GOOD, GOOD, "broken"])
    assert opened(path, requests=2).requests == 2
    assert problems(path, requests=3)[0].startswith("3:1: not JSON")
