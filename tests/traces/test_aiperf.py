"""AIPerf's variants of Mooncake's rows: sessions whose turns follow each other, rows without times, text."""

import pytest

from tests.traces.written import SAMPLES, left_out, lines, seen
from traces import TraceError, check, open_trace

CONSTANT = {"kind": "constant"}


def turn(session: str | None = None, prompt: int = 100, output: int = 10, **others: object) -> dict[str, object]:
    named = {} if session is None else {"session_id": session}
    return {**named, "input_length": prompt, "output_length": output, **others}


def test_a_session_is_a_program_whose_prompts_grow(tmp_path):
    path = lines(
        tmp_path, "aiperf.jsonl",
        turn("a", 600, 4, timestamp=1000, hash_ids=[1, 2]), turn("a", 150, 20, delay=2.5),
        turn("b", 5, 6, timestamp=4000),
        turn(None, 7, 8, timestamp=5000),
    )  # fmt: skip
    rows = seen(open_trace(path))
    assert rows.prompt_tokens.tolist() == [600, 600 + 4 + 150, 5, 7]
    assert rows.output_tokens.tolist() == [4, 20, 6, 8]
    assert rows.program.tolist() == [0, 0, 1, -1]
    assert rows.turn.tolist() == [0, 1, 0, 0]
    assert rows.gap_ps.tolist() == [0, 2_500_000_000, 0, 0]
    assert rows.at_ps.tolist() == [0, 0, 3 * 10**12, 4 * 10**12]


def test_the_first_turns_ids_are_the_head_of_all_its_turns(tmp_path):
    path = lines(tmp_path, "aiperf.jsonl", turn("a", 600, 4, timestamp=0, hash_ids=[1, 2]),
                 turn("a", 150, 20, delay=1, hash_ids=[3]))  # fmt: skip
    head = seen(open_trace(path)).head
    assert head.keys.tolist() == [1, 2, 1, 2]
    assert head.ends.tolist() == [512, 600, 512, 600]


def test_the_rate_is_that_of_sessions(tmp_path):
    rows = [
        each for start in range(3) for each in (turn(f"s{start}", timestamp=start * 500), turn(f"s{start}", delay=9))
    ]
    trace = open_trace(lines(tmp_path, "aiperf.jsonl", *rows))
    assert (trace.requests, trace.rate) == (6, 2.0)
    assert seen(open_trace(lines(tmp_path, "aiperf.jsonl", *rows), rate=4.0)).gap_ps.max() == 9 * 10**9


def test_sessions_without_times_start_as_the_study_says(tmp_path):
    path = lines(tmp_path, "aiperf.jsonl", turn("a"), turn("a", delay=3), turn("b"))
    rows = seen(open_trace(path, arrivals=CONSTANT, rate=1))
    assert rows.at_ps.tolist() == [0, 0, 10**12]


def test_a_session_is_never_cut_between_two_pieces(tmp_path):
    rows = [turn(f"s{name // 3}") for name in range(8193)]
    for piece in open_trace(lines(tmp_path, "aiperf.jsonl", *rows), arrivals=CONSTANT, rate=1).pieces():
        assert piece.turn is not None
        assert piece.turn[0] == 0
        assert piece.turn.reshape(-1, 3).tolist() == [[0, 1, 2]] * (len(piece) // 3)


def test_the_first_rows_may_cut_the_last_session(tmp_path):
    path = lines(tmp_path, "aiperf.jsonl", turn("a"), turn("b"), turn("b", delay=3), turn("b", delay=3))
    rows = seen(open_trace(path, arrivals=CONSTANT, rate=1, requests=3))
    assert rows.turn.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (turn("a", delay=1), "session_id: 'a' goes on here, but its rows must stand together, and others came between"),
        (turn("c"), "a row that begins a session must have a timestamp, as the first has"),
        (turn("c", timestamp=9, delay=4), "delay: a row that begins a session, or is in none, comes after nothing"),
        (turn("b", timestamp=9), "timestamp: a later turn comes its delay after the turn before it has ended"),
        (turn("b", 10**9), "the prompt of the session grows beyond 1,000,000,000 tokens here"),
        (turn("b", delay=-1), "delay: must be >= 0"),
        (turn("b", delay="1"), "delay: must be a number of milliseconds, got '1'"),
        (turn(timestamp=3) | {"session_id": 5}, "session_id: must be a name, got '5'"),
        (turn("b", context_mode="message_array_with_responses"), "context_mode: turns must add to the ones before"),
    ],
)
def test_what_a_session_cannot_be_is_said_in_its_line(tmp_path, row, message):
    path = lines(tmp_path, "aiperf.jsonl", turn("a", timestamp=0), turn("b", timestamp=1), row)
    assert check(path)[0].startswith(f"{path}:3:")
    assert message in check(path)[0]


def test_turns_behind_a_bad_one_are_left_out_with_it(tmp_path):
    path = lines(tmp_path, "aiperf.jsonl", turn("a"), turn("a", 0), turn("a", delay=4), turn("b"))
    trace = open_trace(path, arrivals=CONSTANT, rate=1, bad_rows="skip")
    assert (trace.requests, left_out(trace)) == (2, 2)
    assert seen(trace).program.tolist() == [0, 1]


@pytest.mark.parametrize("key", ["text_input", "messages", "payload"])
def test_text_is_refused(tmp_path, key):
    path = lines(tmp_path, "aiperf.jsonl", {key: "Hello", "output_length": 4, "timestamp": 0})
    with pytest.raises(TraceError, match=f"1:2: {key}: text, and there is no tokenizer here: give input_length"):
        open_trace(path)


def test_the_sample_is_read():
    sample = open_trace(SAMPLES / "aiperf_sample.jsonl")
    assert seen(sample).program.max() == 11
    assert sample.requests == 26
