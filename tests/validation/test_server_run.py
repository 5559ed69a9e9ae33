"""Server runs: what a benchmark's folder says, with vLLM's defaults for the rest; and what cannot be right."""

import json
import shutil

import pytest

from simcore.validation.server_run import read_run
from tests.validation.made_run import asked


@pytest.fixture
def run(folder, tmp_path):
    """A copy of the made run, to be spoilt."""
    return shutil.copytree(folder / "run", tmp_path / "run")


def test_a_run_is_read_on_one_clock_in_order_of_arrival(folder):
    run, was = read_run(folder / "run"), asked()
    assert run.arrival_s.tolist() == pytest.approx(was.arrival_s.tolist(), abs=1e-6)
    assert run.prompt.tolist() == was.prompt.tolist()
    assert run.hits.tolist() == was.hits.tolist()
    assert (run.first_s > run.arrival_s).all()
    assert run.name == folder.name


def test_what_the_server_does_not_say_is_vllm_s_default(folder, run):
    engine = read_run(run).engine
    assert (engine.max_num_seqs, engine.max_num_batched_tokens, engine.kv_blocks) == (8, 128, 1000)
    assert (engine.prefix_caching, engine.asynchronous, engine.memory_utilization) == (True, True, 0.9)
    assert engine.graph_sizes is None


def test_what_the_server_resolved_counts(run):
    meta = json.loads((run / "meta.json").read_text())
    meta["resolved_config"] = {
        "scheduler_config": {"async_scheduling": False, "scheduler_reserve_full_isl": False},
        "compilation_config": {"cudagraph_capture_sizes": [1, 2, 4]},
    }
    (run / "meta.json").write_text(json.dumps(meta))
    engine = read_run(run).engine
    assert (engine.asynchronous, engine.reserve_full_prompt, engine.graph_sizes) == (False, False, (1, 2, 4))
    meta["engine_kwargs"]["enforce_eager"] = True
    (run / "meta.json").write_text(json.dumps(meta))
    assert read_run(run).engine.graph_sizes == ()


def test_another_simulator_s_summary_is_read(run):
    (run / "summary.txt").write_text(
        "Metric vLLM Sim Diff%\n---\nTTFT Mean  7097.2  6815.7  -4.0%\nLatency P99 1 2 +3%\n"
    )
    assert read_run(run).published == {"TTFT mean": -0.04, "E2EL p99": 0.03}


def spoil(line: str, **changes: object) -> str:
    return json.dumps({**json.loads(line), **changes})


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("requests.jsonl", lambda text: text.replace("{", "", 1), r"requests\.jsonl:1: not JSON"),
        ("requests.jsonl", lambda text: spoil(text.split("\n")[0], queued_ts=None), ":1: must have queued_ts"),
        ("requests.jsonl", lambda text: spoil(text.split("\n")[0], output_toks=0), "must be whole numbers >= 1"),
        ("requests.jsonl", lambda text: spoil(text.split("\n")[0], last_token_ts=-1), "must be in that order"),
        ("requests.jsonl", lambda text: "", "must have requests, got none"),
        ("meta.json", lambda text: "{}", "must be JSON with engine_kwargs"),
        ("meta.json", lambda text: '{"engine_kwargs": {"data_parallel_size": 2}}', "must be 1, got 2"),
        (
            "prefix_hits.csv",
            lambda text: "request_index,hit_tokens\n99,16\n",
            r"prefix_hits\.csv:2: request_index below",
        ),
        ("prefix_hits.csv", lambda text: "request_index,hit_tokens\n0,64\n", "must be below the prompt's 50, got 64"),
        ("timeseries.csv", lambda text: "t,running\n1,2\n", "columns t, running and waiting"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused_with_its_place(run, name, change, said):
    (run / name).write_text(change((run / name).read_text()))
    with pytest.raises(ValueError, match=said):
        read_run(run)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"requests\.jsonl: cannot be read"):
        read_run(tmp_path)
