"""Opening: what kind of thing a trace is decides which keys it takes."""

import json
from typing import Any

import pytest

from tests.traces.written import SAMPLES, azure, lines, seen, shared
from traces import FORMATS, ParameterError, open_trace
from traces.conversations import FORMATS as CONVERSATIONS

POISSON = {"kind": "poisson"}
AZURE = SAMPLES / "azure_sample.csv"


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_has_a_sample_that_is_told_by_its_content(name, tmp_path):
    (sample,) = SAMPLES.glob(f"{name}_sample.*")
    copy = tmp_path / "trace"
    copy.write_bytes(sample.read_bytes())
    given: dict[str, Any] = {"bad_rows": "skip"}
    if name in ("vidur", "vicuna", "lengths", "custom", "token_lines"):
        given |= {"arrivals": POISSON, "rate": 1}
    if name == "vicuna":
        given["prompt_tokens"] = {"kind": "fixed", "tokens": 5}
    by_content, by_name = open_trace(copy, **given), open_trace(copy, format=name, **given)
    assert f"({name} trace" in by_content.source
    assert seen(by_content).output_tokens.tolist() == seen(by_name).output_tokens.tolist()
    wrong = "azure" if sample.suffix == ".jsonl" else "mooncake"
    with pytest.raises(ValueError, match=rf"read as {wrong} .* but it looks like {name} "):
        open_trace(copy, format=wrong, **given)


def test_no_two_formats_have_one_name():
    assert not set(FORMATS) & set(CONVERSATIONS)


def test_an_unknown_format_lists_those_of_conversations_too():
    with pytest.raises(ParameterError, match=rf"must be one of azure, .*{CONVERSATIONS[0]}.* got 'burst'"):
        open_trace(AZURE, format="burst")


@pytest.mark.parametrize("key", ["format", "time_unit", "columns", "block_tokens", "from_s", "for_s"])
def test_the_catalogue_takes_no_key_of_files(key):
    value: Any = {"format": "azure", "time_unit": "s", "columns": {"prompt_tokens": "x"}}.get(key, 16)
    with pytest.raises(ParameterError, match=f"{key}: is for files, but azure_conv_2023 is in the catalogue"):
        open_trace("azure_conv_2023", **{key: value})


def test_a_file_of_requests_has_no_window():
    with pytest.raises(
        ParameterError, match=r"from_s: is for ServeGen recordings, but azure_sample.csv is a file of requ"
    ):
        open_trace(AZURE, from_s=10)


def test_a_folder_of_clients_is_generated(tmp_path):
    (tmp_path / "chunk-0-trace.csv").write_text("0,2.0,1.0,Gamma,1.0,0.5\n600,2.0,1.0,Gamma,1.0,0.5\n")
    lengths = {"input_tokens": "{10: 1.0}", "output_tokens": "{5: 1.0}"}
    (tmp_path / "chunk-0-dataset.json").write_text(json.dumps({"0": lengths}))
    trace = open_trace(tmp_path, requests=50, seed=1, for_s=600)
    assert len(seen(trace)) == 50
    with pytest.raises(ParameterError, match=r"arrivals: is not for ServeGen recordings"):
        open_trace(tmp_path, arrivals=POISSON)


def test_conversations_are_told_from_tables():
    path = shared("mini-swe-agent/llm_calls_gemini-3-pro_swebench-verified.csv.gz")
    trace = open_trace(path, arrivals=POISSON, rate=0.1, requests=200)
    assert seen(trace).program is not None
    with pytest.raises(ParameterError, match=r"columns: is not for conversations|format: columns"):
        open_trace(
            path, format="mini_swe_agent", columns={"prompt_tokens": "prompt_tokens"}, arrivals=POISSON, rate=0.1
        )


def test_columns_win_over_what_a_file_looks_like():
    path = shared("mini-swe-agent/llm_calls_gemini-3-pro_swebench-verified.csv.gz")
    columns = {"prompt_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
    calls = open_trace(path, columns=columns, arrivals=POISSON, rate=1.0)
    assert calls.requests == 20_163
    assert seen(calls).program is None


def test_the_source_says_what_was_drawn(tmp_path):
    table = open_trace(
        lines(tmp_path, "a.csv", "prompt_len,output_len", "1,2"), arrivals=POISSON, rate=1, order="shuffled"
    )
    assert table.source.endswith(") with arrivals poisson, rows shuffled")
    assert open_trace(azure(tmp_path, "0,1,1")).source.startswith("azure.csv (azure trace, sha256 ")
