"""Length tables: lengths from a file, arrivals and what else it lacks from the study."""

import pytest

from tests.traces.written import SAMPLES, azure, lines, seen
from traces import Filled, ParameterError, TraceError, check, open_trace, synthetic

POISSON = {"kind": "poisson"}
CONSTANT = {"kind": "constant"}
FIXED = {"kind": "fixed", "tokens": 7}
PAIRS = ("prompt_len,output_len", "1,10", "2,20", "3,30", "4,40")


def test_a_table_without_times_says_what_to_add(tmp_path):
    path = lines(tmp_path, "table.csv", *PAIRS)
    with pytest.raises(ParameterError) as error:
        open_trace(path)
    assert str(error.value) == (
        "arrivals: table.csv (format lengths) has no arrival times; add arrivals: {kind: poisson} and a rate"
    )
    with pytest.raises(ParameterError, match="rate: must be a number > 0, got nothing"):
        open_trace(path, arrivals=POISSON)


def test_its_requests_arrive_as_the_study_says_in_the_order_of_the_file(tmp_path):
    table = open_trace(lines(tmp_path, "table.csv", *PAIRS), arrivals=CONSTANT, rate=2.0)
    assert isinstance(table, Filled)
    rows = seen(table)
    assert rows.at_ps.tolist() == [0, 500_000_000_000, 1_000_000_000_000, 1_500_000_000_000]
    assert rows.prompt_tokens.tolist() == [1, 2, 3, 4]
    assert rows.output_tokens.tolist() == [10, 20, 30, 40]
    assert (table.requests, table.rate, table.lasts_s) == (4, 2.0, 2.0)
    assert table.source.endswith("with arrivals constant")


def test_all_at_once_needs_no_rate(tmp_path):
    table = open_trace(lines(tmp_path, "table.csv", *PAIRS), arrivals={"kind": "all_at_once"})
    assert seen(table).at_ps.tolist() == [0, 0, 0, 0]


def test_seeds_move_arrivals_and_leave_lengths(tmp_path):
    path = lines(tmp_path, "table.csv", *PAIRS)
    one, two = (seen(open_trace(path, arrivals=POISSON, rate=1, seed=seed)) for seed in (1, 2))
    assert one.at_ps.tolist() != two.at_ps.tolist()
    assert one.prompt_tokens.tolist() == two.prompt_tokens.tolist()


def test_arrivals_are_those_of_a_generated_workload_however_the_rows_lie(tmp_path):
    rows = [f"{index % 50 + 1},5" for index in range(10_000)]
    rows[100] = "0,5"
    table = open_trace(lines(tmp_path, "table.csv", PAIRS[0], *rows), arrivals=POISSON, rate=3, bad_rows="skip", seed=4)
    drawn = synthetic(arrivals=POISSON, prompt_tokens=FIXED, output_tokens=FIXED, rate=3, requests=9_999, seed=4)
    assert seen(table).at_ps.tolist() == seen(drawn).at_ps.tolist()


def test_times_of_its_own_and_arrivals_are_one_too_many(tmp_path):
    path = azure(tmp_path, "0,1,1", "1,2,1")
    with pytest.raises(ParameterError) as error:
        open_trace(path, arrivals=POISSON, rate=1, prompt_tokens=FIXED, output_tokens=FIXED, order="shuffled")
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == [
        "arrivals", "prompt_tokens", "output_tokens", "order",
    ]  # fmt: skip
    assert "a trace brings its own, azure.csv (format azure) in 'TIMESTAMP'; leave one of the two out" in str(
        error.value
    )


def test_prompts_that_the_file_lacks_are_drawn(tmp_path):
    path = lines(
        tmp_path, "answers.csv", ",output_token_length,predicted_length,latency,model", "0,40,0,0.02,v", "1,9,0,1,v"
    )
    with pytest.raises(ParameterError, match=r"prompt_tokens: answers.csv \(format vicuna\) has no prompt_tokens; add"):
        open_trace(path, arrivals=CONSTANT, rate=1)
    table = seen(open_trace(path, arrivals=CONSTANT, rate=1, prompt_tokens=FIXED))
    assert (table.prompt_tokens.tolist(), table.output_tokens.tolist()) == ([7, 7], [40, 9])


def test_vidurs_files_without_and_with_times_are_read(tmp_path):
    plain = lines(tmp_path, "a.csv", "num_prefill_tokens,num_decode_tokens,num_total_tokens,pd_ratio", "30,10,40,3.0")
    assert seen(open_trace(plain, arrivals=CONSTANT, rate=1)).prompt_tokens.tolist() == [30]
    timed = lines(tmp_path, "b.csv", "arrived_at,num_prefill_tokens,num_decode_tokens", "0.5,374,44", "2.0,396,109")
    assert seen(open_trace(timed)).at_ps.tolist() == [0, 1_500_000_000_000]


def test_apex_tables_have_times_in_nanoseconds(tmp_path):
    header = "ContextTokens,GeneratedTokens,RequestID,TotalTokens,StartTimeOffset"
    path = lines(tmp_path, "apex.csv", header, "156,67,14a,223,197890289", "115,390,4f7,505,1500203480")
    assert seen(open_trace(path)).at_ps.tolist() == [0, 1_302_313_191_000]


@pytest.mark.parametrize(
    "header",
    [
        "prompt_len,output_len",
        "id,input_len,output_len",
        "completion_tokens,prompt_tokens",
        "input_tokens,output_tokens",
    ],
)
def test_lengths_go_by_the_names_that_benchmarks_use(tmp_path, header):
    row = ",".join(str(value) for value in range(1, header.count(",") + 2))
    assert open_trace(lines(tmp_path, "table.csv", header, row), arrivals=CONSTANT, rate=1).requests == 1


def test_a_column_that_looks_like_a_time_is_not_read_past_in_silence(tmp_path):
    (problem,) = check(lines(tmp_path, "table.csv", "prompt_len,output_len,arrival_ts", "1,2,3"))
    assert problem.endswith(
        "table.csv:1:23: 'arrival_ts' looks like a time; say columns: {arrival: arrival_ts, prompt_tokens: prompt_len, "
        "output_tokens: output_len}, without arrival if it is none"
    )


def test_more_requests_than_rows_are_refused_in_the_order_of_the_file(tmp_path):
    path = lines(tmp_path, "table.csv", *PAIRS)
    with pytest.raises(
        ParameterError, match=r"at most 4, the rows of .*, got 9; order: shuffled goes through them again"
    ):
        open_trace(path, arrivals=CONSTANT, rate=1, requests=9)


def test_shuffled_rows_come_once_each_before_any_comes_again(tmp_path):
    path = lines(tmp_path, "table.csv", *PAIRS)
    table = seen(open_trace(path, arrivals=CONSTANT, rate=1, requests=12, order="shuffled", seed=3))
    rounds = table.prompt_tokens.reshape(3, 4)
    assert [sorted(each) for each in rounds.tolist()] == [[1, 2, 3, 4]] * 3
    assert len({tuple(each) for each in rounds.tolist()}) > 1
    assert (table.output_tokens == 10 * table.prompt_tokens).all()


def test_a_shuffle_belongs_to_its_seed_and_the_first_are_those_of_more(tmp_path):
    path = lines(tmp_path, "table.csv", "prompt_len,output_len", *(f"{row + 1},1" for row in range(100)))

    def order(requests: int, seed: int) -> list[int]:
        table = open_trace(path, arrivals=CONSTANT, rate=1, requests=requests, order="shuffled", seed=seed)
        return list(seen(table).prompt_tokens)

    assert order(60, 1) == order(150, 1)[:60]
    assert order(100, 1) != order(100, 2) != list(range(1, 101))


def test_rows_that_share_prefixes_are_not_shuffled(tmp_path):
    path = lines(tmp_path, "trace.jsonl", {"input_length": 5, "output_length": 5, "hash_ids": [1]})
    with pytest.raises(ParameterError, match=r"order: rows of trace.jsonl share prefixes"):
        open_trace(path, arrivals=CONSTANT, rate=1, order="shuffled")


@pytest.mark.parametrize(
    ("name", "prompt_tokens", "output_tokens"),
    [("vidur", 62_789, 7_441), ("lengths", 9_598, 9_519), ("token_lines", 13_000, 10_974)],
)
def test_the_samples_are_read(name, prompt_tokens, output_tokens):
    (path,) = SAMPLES.glob(f"{name}_sample.*")
    sample = open_trace(path, arrivals=POISSON, rate=1)
    assert sample.requests == 40
    assert (seen(sample).prompt_tokens.sum(), seen(sample).output_tokens.sum()) == (prompt_tokens, output_tokens)


def test_the_samples_of_answers_and_of_times_are_read():
    answers = open_trace(SAMPLES / "vicuna_sample.csv", arrivals=POISSON, rate=1, prompt_tokens=FIXED)
    assert answers.requests == open_trace(SAMPLES / "apex_sample.csv").requests == 40


def test_a_broken_total_of_a_table_is_placed(tmp_path):
    header = "num_prefill_tokens,num_decode_tokens,num_total_tokens"
    with pytest.raises(TraceError, match=r"a.csv:2:5: num_total_tokens: must be .* = 5, got '6'"):
        open_trace(lines(tmp_path, "a.csv", header, "2,3,  6"), arrivals=POISSON, rate=1)
