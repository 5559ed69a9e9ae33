"""Broken rows: each is placed by line and column, many at once, with the rule and the value."""

import pickle

import pytest

from tests.traces.written import HEADER, azure, mooncake, request
from traces import TraceError, check, open_trace
from traces.problems import LIMIT

GOOD = "2023-11-16 18:15:46.6805900,374,44"
LATER = "2023-11-16 18:15:50.9951690,396,109"


@pytest.mark.parametrize(
    ("row", "place", "message"),
    [
        ("2023-11-16 18:15:46,374", "3:24", "3 cells expected"),
        ("2023-11-16 18:15:46,374,44,9", "3:28", "3 cells expected (TIMESTAMP,ContextTokens,GeneratedTokens), got 4"),
        ("2023-11-16 18:15:46,abc,44", "3:21", "ContextTokens: must be a whole number, got 'abc'"),
        ("2023-11-16 18:15:46,,44", "3:21", "ContextTokens: must be a whole number, got ''"),
        ("2023-11-16 18:15:46,12.5,44", "3:21", "ContextTokens: must be a whole number, got '12.5'"),
        ("2023-11-16 18:15:46,1_000,44", "3:21", "ContextTokens: must be a whole number, got '1_000'"),
        ("2023-11-16 18:15:46,\u0663,44", "3:21", "ContextTokens: must be a whole number"),
        ("2023-11-16 18:15:46,374,-3", "3:25", "GeneratedTokens: must be between 1 and 1,000,000,000 tokens, got '-3'"),
        ("2023-11-16 18:15:46,374,0", "3:25", "GeneratedTokens: must be between 1"),
        ("2023-11-16 18:15:46,0,44", "3:21", "ContextTokens: must be between 1"),
        ("2023-11-16 18:15:46,99999999999999999999,44", "3:21", "ContextTokens: must be between 1"),
        ("yesterday,374,44", "3:1", "TIMESTAMP: must be a date like 2023-11-16 18:15:46.6805900, or a number >= 0"),
        ("2023-02-30 18:15:46,374,44", "3:1", "TIMESTAMP: day is out of range"),
        ("2023-11-16 18:15:61,374,44", "3:1", "TIMESTAMP: second must be in 0..59"),
        ("2023-11-16 18:15:46.,374,44", "3:1", "TIMESTAMP: must be a date"),
        ("nan,374,44", "3:1", "TIMESTAMP: must be a date"),
        ("-5,374,44", "3:1", "TIMESTAMP: must be a date"),
        ("2023-11-16 18:15:46.1805900,374,44", "3:1", "time goes backwards: 0.5 s before the row above it"),
        ("2033-11-16 18:15:46,374,44", "3:1", "more than 9,000,000 s away from the first row"),
        ('"2023-11-16 18:15:47,374,44', "3:", "3 cells expected"),
    ],
)
def test_a_broken_azure_row_is_placed_by_line_and_column(tmp_path, row, place, message):
    path = azure(tmp_path, GOOD, row)
    with pytest.raises(TraceError) as error:
        open_trace(path)
    assert error.value.problems[0].startswith(f"{path}:{place}")
    assert message in error.value.problems[0]


@pytest.mark.parametrize(
    ("row", "place", "message"),
    [
        ('{"timestamp": 0, "input_len', "2:18", "not JSON (Unterminated string"),
        ("[1, 2, 3, 4]", "2:1", "a row must be an object with timestamp, input_length, output_length, hash_ids"),
        ('{"timestamp": 0}', "2:1", "missing key 'input_length'"),
        (request(0).replace("output_length", "output_lenght"), "2:39", "did you mean 'output_length'?"),
        (request(0).replace("512", "512.5"), "2:18", "input_length: must be a whole number, got '512.5'"),
        (request(0).replace("512", '"512"'), "2:18", "input_length: must be a whole number"),
        (request(0).replace("512", "true"), "2:18", "input_length: must be a whole number, got 'true'"),
        (request(0).replace("512", "0"), "2:18", "input_length: must be between 1"),
        (request(0, output=-1), "2:39", "output_length: must be between 1"),
        (request(-7), "2:2", "timestamp: must be >= 0"),
        (
            request(0).replace('"timestamp": 0', '"timestamp": "0"'),
            "2:2",
            "timestamp: must be a number of milliseconds",
        ),
        (request(0).replace('"timestamp": 0', '"timestamp": NaN'), "2:", "not JSON (NaN"),
        (
            request(0, 6758, 5, list(range(423))),
            "2:",
            "14 for 6758 tokens, got 423: wrong block size? (that many would be 16-",
        ),
        (request(0, hash_ids=[]), "2:", "hash_ids: must hold one id per 512-token block, 1 for 512 tokens, got 0"),
        (request(0).replace("[0]", "[0.5]"), "2:", "hash_ids: must be a list of whole numbers >= 0"),
        (request(0).replace("[0]", "[true]"), "2:", "hash_ids: must be a list of whole numbers >= 0"),
        (request(0, hash_ids=[-1]), "2:", "hash_ids: must be a list of whole numbers >= 0"),
        (request(0, hash_ids=[2**63]), "2:", "hash_ids: must be a list of whole numbers >= 0 and below 2^63"),
        (
            request(0).replace("[0]", "7"),
            "2:",
            "hash_ids: must be a list of whole numbers >= 0 and below 2^63, got '7'",
        ),
        (request(0) + " x", "2:", "not JSON (Extra data"),
    ],
)
def test_a_broken_mooncake_row_is_placed_by_line_and_column(tmp_path, row, place, message):
    path = mooncake(tmp_path, request(0), row)
    with pytest.raises(TraceError) as error:
        open_trace(path)
    assert error.value.problems[0].startswith(f"{path}:{place}")
    assert message in error.value.problems[0]


def test_everything_wrong_with_a_file_is_said_at_once(tmp_path):
    path = azure(tmp_path, GOOD, "x,0,y", LATER, GOOD)
    assert [problem.removeprefix(f"{path}:").split(": ")[0] for problem in check(path)] == ["3:1", "3:3", "3:5", "5:1"]


def test_a_problem_in_a_late_piece_has_its_own_line_number(tmp_path):
    path = azure(tmp_path, *("5,1,1" for _ in range(10_000)), "6,1,0", "", "4,1,1")
    assert [problem.removeprefix(f"{path}:").split(": ")[0] for problem in check(path)] == ["10002:5", "10004:1"]


def test_time_going_backwards_between_two_pieces_is_seen(tmp_path):
    path = azure(tmp_path, *("5,1,1" for _ in range(8191)), "7,1,1", "6,1,1")
    assert check(path) == [f"{path}:8194:1: time goes backwards: 1 s before the row above it"]


def test_reading_stops_after_twenty_problems(tmp_path):
    problems = check(azure(tmp_path, *("x,1,1" for _ in range(100))))
    assert len(problems) == LIMIT == 20
    assert problems[-1].endswith("(stopped after 20 problems)")


def test_only_the_asked_rows_are_judged(tmp_path):
    path = azure(tmp_path, GOOD, LATER, "broken")
    assert open_trace(path, requests=2).requests == 2
    assert check(path, limit=2) == []
    assert len(check(path)) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1:1: the file is empty"),
        ("\n\n", "1:1: the first line is blank"),
        (f"{HEADER}\n", "2:1: the file has no rows"),
        (f"{HEADER}\n\n\n", "4:1: the file has no rows"),
        ("a,b,c\n1,2,3\n", "1:1: looks like no known format (azure, burstgpt,"),
        ("TIMESTAMP,ContextTokens\n", "1:24: missing column GeneratedTokens"),
        (f"{HEADER},Model\n", "1:41: extra column 'Model'"),
        ("ContextTokens,TIMESTAMP,GeneratedTokens\n", "1:1: column 1 must be TIMESTAMP, got 'ContextTokens'"),
        ("timestamp,ContextTokens,GeneratedTokens\n", "1:1: column 1 must be TIMESTAMP, got 'timestamp'"),
        ('{"text": "hello"}\n', "1:1: looks like no known format"),
        ('[{"id": 1, "conversations": []}]\n', "1:1: this is a JSON array, not one object a line"),
        (
            '{"timestamp": 0, "usage": {"input_length": 5, "output_length": 6}}\n',
            "1:1: missing key 'input_length': it stands within 'usage', and only the keys of a row are read",
        ),
    ],
)
def test_a_file_without_sound_rows_says_why(tmp_path, text, problem):
    path = tmp_path / "trace"
    path.write_text(text)
    assert check(path)[0].startswith(f"{path}:{problem}")


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (HEADER.replace(",", ";").encode(), "its cells are separated by ';', and only commas are read"),
        (HEADER.replace(",", "\t").encode(), "its cells are separated by '\\t', and only commas are read"),
        (HEADER.encode("utf-16"), "it is no text in UTF-8"),
        (b"PK\x03\x04\x14\x00", "it is a zip archive: unpack it"),
        (b"a,b\n", "say what its columns are, as columns: "),
    ],
)
def test_a_file_of_no_known_format_says_what_to_do(tmp_path, content, advice):
    path = tmp_path / "trace"
    path.write_bytes(content)
    (problem,) = check(path)
    assert advice in problem


def test_a_file_of_another_format_says_what_it_looks_like(tmp_path):
    assert "looks like mooncake" in check(mooncake(tmp_path, request(0)), format="azure")[0]
    assert "looks like azure" in check(azure(tmp_path, GOOD), format="mooncake")[0]


def test_bytes_that_are_no_text_are_reported_where_they_stand(tmp_path):
    path = azure(tmp_path, GOOD)
    path.write_bytes(path.read_bytes() + b"2023-11-16 18:15:50,3\xff4,5\n")
    assert check(path)[0].startswith(f"{path}:3:21: ContextTokens: must be a whole number")


def test_an_error_survives_being_sent_between_processes():
    error = TraceError(["a.csv:1:1: broken"])
    assert pickle.loads(pickle.dumps(error)).problems == error.problems
    assert str(error) == "a.csv:1:1: broken"
