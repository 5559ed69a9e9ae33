"""The command: one line from a folder to a verdict, figures and numbers; and a user's mistakes in one line."""

import json

from typer.testing import CliRunner

from simcore.validation.__main__ import app


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_folder_with_profile_and_run_is_all_it_takes(folder, model_file, tmp_path):
    out = tmp_path / "out"
    done = call(folder, "--model", model_file, "--prefill-step-overhead-ms", 0.1, "--interval", 3, "--out", out)
    assert done.exit_code == 0, done.output
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.output.splitlines() if line[:1] == "|"]
    by_name = {line[0]: line for line in lines}
    assert lines[0] == ["", "measured", "nothing fitted", "interval of the profile", "0.1 ms a step with prompts"]
    assert by_name["TTFT mean"][4] in ("+0.0%", "-0.0%")
    assert by_name["TTFT mean"][2].startswith("-")
    assert "with prompts, batch not full" in by_name
    assert "no prefix hits" in by_name
    drawn = {path.name for path in out.iterdir()}
    assert drawn == {"latencies.png", "requests.png", "running_and_waiting.png", "steps_by_tokens.png",
                     "validation.json"}  # fmt: skip
    found = json.loads((out / "validation.json").read_text())
    assert abs(found["declared"]["E2EL mean"]) < 1e-6
    assert found["kv_blocks"] == 1000
    assert found["kv_blocks_logged"] is True
    assert found["cost"]["provenance"]["gpu"] == "NVIDIA Made Up 1"


def test_a_run_that_preempts_is_replayed_without_comparing_steps(folder, model_file):
    done = call(folder, "--model", model_file, "--kv-blocks", 40, "--interval", 0, "--no-ablation")
    assert done.exit_code == 0, done.output
    assert "40 KV blocks (computed or given)" in done.output
    assert "Steps were not compared: requests were preempted" in done.output


def test_mistakes_are_one_line_and_status_2(folder, model_file, tmp_path):
    for words, said in (
        ((tmp_path,), "requests.jsonl: cannot be read"),
        ((folder,), "no model ships that is someone/tiny: give its config.json with --model"),
        ((folder, "--model", model_file, "--profile", tmp_path / "none.npz"), "No such file"),
        ((folder, "--model", model_file, "--gpu", "h1000"), "unknown hardware 'h1000' (did you mean h100?)"),
    ):
        done = call(*words)
        assert done.exit_code == 2
        assert said in done.output
        assert done.output.count("\n") == 1
