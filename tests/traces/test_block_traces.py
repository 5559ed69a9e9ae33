"""Traces of prompt blocks beside Mooncake's own: vLLM's timed traces, Bailian's, other block sizes, token lists."""

import pytest

from tests.traces.written import SAMPLES, lines, mooncake, request, seen
from traces import ParameterError, TraceError, check, open_trace, prefix_hit_share

CONSTANT = {"kind": "constant"}


def row(timestamp: float, prompt: int, ids: list[int], **others: object) -> dict[str, object]:
    return {"timestamp": timestamp, "input_length": prompt, "output_length": 4, "hash_ids": ids, **others}


def test_a_timed_trace_is_told_by_its_blocks_of_16_and_is_in_seconds(tmp_path):
    path = lines(tmp_path, "trace.jsonl", row(0.5, 40, [1, 2, 3]), row(2, 20, [1, 4]))
    trace = open_trace(path)
    assert "(timed_trace trace, sha256" in trace.source
    assert seen(trace).at_ps.tolist() == [0, 1_500_000_000_000]
    assert seen(trace).head.ends.tolist() == [16, 32, 40, 16, 20]
    assert prefix_hit_share(trace, 16) == pytest.approx(16 / 60)


def test_a_mooncake_file_is_told_by_its_blocks_of_512(tmp_path):
    assert "(mooncake trace" in open_trace(mooncake(tmp_path, request(0, 600))).source


def test_a_timed_trace_in_milliseconds_is_caught_and_read_with_its_unit(tmp_path):
    path = lines(tmp_path, "trace.jsonl", *(row(250 * index, 40, [1, 2, 3]) for index in range(150)))
    (problem,) = check(path)
    assert "Read as seconds, the unit of timed_trace files" in problem
    assert "(4 req/s if they are milliseconds)" in problem
    assert open_trace(path, time_unit="ms").rate == 4.0


def test_blocks_of_another_size_are_read_when_it_is_said(tmp_path):
    path = lines(tmp_path, "trace.jsonl", row(0, 100, [7, 8]))
    with pytest.raises(
        TraceError, match=r"got 2: wrong block size\? \(that many would be 64-token blocks: block_tokens: 64\)"
    ):
        open_trace(path)
    assert seen(open_trace(path, block_tokens=64)).head.ends.tolist() == [64, 100]


def test_bailians_rows_bring_their_conversation_in_the_prompt(tmp_path):
    first = row(0.0, 32, [1, 2], chat_id=0, parent_chat_id=-1, type="text", turn=1)
    second = row(9.0, 64, [1, 2, 3, 4], chat_id=1, parent_chat_id=0, type="text", turn=2)
    trace = open_trace(lines(tmp_path, "qwen.jsonl", first, second))
    assert "(bailian trace" in trace.source
    assert seen(trace).program is None
    assert prefix_hit_share(trace, 16) == pytest.approx(32 / 96)


def test_a_row_without_ids_shares_nothing(tmp_path):
    path = lines(tmp_path, "trace.jsonl", {"timestamp": 0, "input_length": 600, "output_length": 4})
    assert seen(open_trace(path)).head is None


def test_a_misspelt_key_of_ids_is_not_read_past_in_silence(tmp_path):
    value = {"timestamp": 0, "input_length": 600, "output_length": 4, "hash_id": [1, 2]}
    assert check(lines(tmp_path, "t.jsonl", value))[0].endswith(
        "1:59: unknown key 'hash_id' (did you mean 'hash_ids'?)"
    )


def test_prompts_of_token_ids_are_counted(tmp_path):
    path = lines(
        tmp_path, "custom.jsonl", {"prompt": [5, 6, 7], "output_tokens": 9}, {"prompt": [5], "output_tokens": 1}
    )
    trace = seen(open_trace(path, arrivals=CONSTANT, rate=1))
    assert (trace.prompt_tokens.tolist(), trace.output_tokens.tolist()) == ([3, 1], [9, 1])


def test_prompts_of_text_are_refused_and_the_way_to_estimate_them_is_said(tmp_path):
    path = lines(tmp_path, "custom.jsonl", {"prompt": "What is the capital?", "output_tokens": 9})
    with pytest.raises(TraceError, match=r"prompt: must be a whole number, got .*there is no tokenizer here"):
        open_trace(path, arrivals=CONSTANT, rate=1)
    columns = {"prompt_tokens": "prompt", "output_tokens": "output_tokens", "chars_per_token": 4}
    assert seen(open_trace(path, columns=columns, arrivals=CONSTANT, rate=1)).prompt_tokens.tolist() == [5]


def test_answers_that_a_custom_file_lacks_are_drawn(tmp_path):
    path = lines(tmp_path, "custom.jsonl", {"prompt": [1, 2]})
    with pytest.raises(ParameterError, match=r"output_tokens: custom.jsonl .* has no output_tokens"):
        open_trace(path, arrivals=CONSTANT, rate=1)
    drawn = open_trace(path, arrivals=CONSTANT, rate=1, output_tokens={"kind": "fixed", "tokens": 256})
    assert seen(drawn).output_tokens.tolist() == [256]


@pytest.mark.parametrize("name", ["timed_trace", "bailian"])
def test_the_samples_share_prefixes(name):
    sample = open_trace(SAMPLES / f"{name}_sample.jsonl")
    assert sample.requests == 40
    assert 0.1 < prefix_hit_share(sample, 16) < 0.7


def test_the_sample_of_token_ids_is_read():
    assert open_trace(SAMPLES / "custom_sample.jsonl", arrivals=CONSTANT, rate=1).requests == 20
