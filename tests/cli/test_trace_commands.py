"""The trace commands as a user types them: what they print, write and refuse, and with which exit status."""

import gzip
import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from simcore.commands import trace
from tests.cli.command import ROOT
from tests.study.tiny import write_study
from tests.traces.written import azure, mooncake, request, shared
from traces import open_trace, public
from traces.problems import TraceError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Run where there is nothing."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: object, status: int = 0):
    done = CliRunner().invoke(trace.app, [str(argument) for argument in arguments])
    assert done.exit_code == status, done.output
    assert "Traceback" not in done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done


def test_help_loads_nothing_heavy():
    program = (
        "import sys\n"
        "from simcore.commands.trace import app\n"
        "try:\n    app(['info', '--help'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'torch', 'pandas', 'scipy', 'matplotlib', 'pyarrow', 'numpy', 'pooch', 'traces'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stderr, "--no-sharing" in done.stdout) == ("[]\n", True)


def test_info_says_what_a_trace_is_like(folder):
    printed = run("info", azure(folder, "0,100,10", "1,300,30", "4,200,20")).stdout
    assert "azure.csv: 3 requests in 4 s" in printed
    rows = {line.split()[0]: line.split()[1:] for line in printed.splitlines() if line.startswith(("prompt", "output"))}
    assert rows == {
        "prompt": ["600", "200", "200", "280", "298", "300"],
        "output": ["60", "20.0", "20", "28", "30", "30"],
    }


def test_info_of_programs_names_turns_waits_and_tools():
    printed = run("info", "agent_programs", "--requests", 400).stdout
    assert "programs per second" in printed
    assert "turns: mean" in printed
    assert "waits between turns (s): mean" in printed
    assert "Bash" in printed


def test_info_tells_the_share_of_shared_prefixes_unless_told_not_to(folder):
    path = mooncake(folder, *(request(1000 * row, 1024, 1, [1, row + 2]) for row in range(4)))
    assert "shared prefixes: 37.5% of the prompt tokens" in run("info", path).stdout
    assert "shared prefixes" not in run("info", path, "--no-sharing").stdout


def test_info_as_json_holds_the_published_numbers():
    found = json.loads(run("info", shared("azure/AzureLLMInferenceTrace_conv.csv"), "--json").stdout)
    assert (found["requests"], found["skipped"], found["programs"]) == (19_366, 0, None)
    assert found["arrivals"]["rate"] == pytest.approx(5.53, abs=0.005)
    assert found["prompt_tokens"]["sum"] == 22_361_870


def test_info_at_another_rate_and_of_fewer_requests():
    found = json.loads(run("info", "azure_conv_2023", "--rate", 100, "--requests", 2000, "--seed", 3, "--json").stdout)
    assert (found["requests"], found["arrivals"]["rate"]) == (2000, pytest.approx(100, rel=0.1))


def test_info_draws_a_picture_and_does_not_write_over_one(folder):
    assert "picture: p.png" in run("info", "azure_conv_2023", "--requests", 50, "--plot", "p.png").stdout
    assert (folder / "p.png").read_bytes().startswith(b"\x89PNG")
    again = run("info", "azure_conv_2023", "--requests", 50, "--plot", "p.png", status=2)
    assert again.stderr == "p.png: exists; --force writes over it\n"


def test_a_picture_that_cannot_be_written_is_refused_before_the_trace_is_read(folder):
    for name, why in (("no/p.png", "there is no folder no"), ("p.pdf", "must end in .png")):
        done = run("info", "azure_conv_2023", "--plot", name, status=2)
        assert (done.stdout, why in done.stderr) == ("", True)


def test_a_key_that_is_said_twice_is_refused():
    done = run("info", "azure_conv_2023", "--rate", 5, "--set", "rate=6", status=2)
    assert done.stderr == "--set rate: --rate says it, too; leave one of the two out\n"


def test_validate_counts_what_is_sound(folder):
    assert run("validate", azure(folder, "0,1,1", "1,1,1")).stdout == f"{folder}/azure.csv: valid, 2 requests\n"


def test_validate_says_everything_that_is_wrong_with_its_place(folder):
    path = azure(folder, "9,1,1", "x,1,1", "10,0,1", "1,1,1")
    done = run("validate", path, status=2)
    assert done.stdout == ""
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == [
        f"{path}:{place}" for place in ("3:1", "4:4", "5:1")
    ]


def test_validate_asks_for_nothing_that_the_rows_do_not_need(folder):
    path = folder / "lengths.csv"
    path.write_text("prompt_len,output_len\n5,6\n")
    assert run("validate", path).stdout == f"{path}: valid, 1 request\n"
    path.write_text("prompt_len,output_len\n5,0\n")
    assert f"{path}:2:3: output_len: must be between 1 and" in run("validate", path, status=2).stderr
    assert "have bailian" not in run("validate", path, "--set", "arrivals={kind: poison}", status=2).stderr


def test_what_a_file_lacks_is_asked_for_in_the_words_of_the_command_line(folder):
    path = folder / "lengths.csv"
    path.write_text("prompt_len,output_len\n5,6\n")
    asked = run("info", path, status=2).stderr
    assert "lengths.csv (format lengths) has no arrival times" in asked
    assert "--set 'arrivals={kind: poisson}' --rate 2" in asked
    assert "--set" not in run("info", path, "--set", "arrivals={kind: poisson}", status=2).stderr


def test_validate_counts_the_rows_it_is_told_to_skip(folder):
    path = azure(folder, "0,1,1", "x,1,1", "2,0,1", "3,1,1")
    assert run("validate", path, "--bad-rows", "skip").stdout == f"{path}: valid, 2 requests, 2 bad rows left out\n"
    assert "2 bad rows left out" in run("info", path, "--bad-rows", "skip").stdout


def test_convert_writes_a_trace_and_the_commands_that_fire_it(folder):
    done = run("convert", azure(folder, "0,600,7", "1.25,512,9"), "--out", "out.jsonl")
    assert [json.loads(line)["hash_ids"] for line in (folder / "out.jsonl").read_text().splitlines()] == [[0, 1], [2]]
    assert "out.jsonl: 2 requests, 3 different blocks of 512 tokens" in done.stdout
    vllm, aiperf = (line for line in done.stdout.splitlines() if "MODEL" in line)
    assert "--timed-trace-chunk-hash-size 512 --timed-trace-sec-multiplier 0.001 --num-prompts 2" in vllm
    assert "--custom-dataset-type mooncake_trace --input-file out.jsonl" in aiperf


def test_convert_takes_another_block_size_and_says_it_to_the_tools(folder):
    done = run("convert", azure(folder, "0,600,7"), "--out", "out.jsonl", "--block-tokens", 16)
    assert len(json.loads((folder / "out.jsonl").read_text())["hash_ids"]) == 38
    assert "--timed-trace-chunk-hash-size 16 " in done.stdout
    assert "--isl-block-size 16" in done.stdout


def test_convert_compresses_and_says_to_unpack(folder):
    done = run("convert", azure(folder, "0,600,7"), "--out", "out.jsonl.gz")
    assert json.loads(gzip.decompress((folder / "out.jsonl.gz").read_bytes()))["input_length"] == 600
    assert "unpacked to out.jsonl:" in done.stdout


def test_convert_writes_a_table(folder):
    run("convert", mooncake(folder, request(0, 10, 5), request(1500, 20, 6)), "--out", "out.csv")
    assert (folder / "out.csv").read_text() == "TIMESTAMP,ContextTokens,GeneratedTokens\n0,10,5\n1.5,20,6\n"


def test_convert_asks_how_to_write_turns_and_takes_both_answers(folder):
    refused = run("convert", "chat_sessions", "--requests", 300, "--out", "out.jsonl", status=2)
    assert "--sessions" in refused.stderr
    assert list(folder.iterdir()) == []
    run("convert", "chat_sessions", "--requests", 300, "--out", "timed.jsonl", "--tpot-ms", 20)
    done = run("convert", "chat_sessions", "--requests", 300, "--out", "sessions.jsonl", "--sessions")
    assert "vllm" not in done.stdout
    assert '"session_id": "p0"' in (folder / "sessions.jsonl").read_text()
    assert open_trace("timed.jsonl").requests == 300


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["info", "azure_conv_2032"], "did you mean 'azure_conv_2023'?"),
        (["info", "azure_conv_2023", "--set", "tim_unit=s"], "did you mean 'time_unit'?"),
        (["info", "azure_conv_2023", "--set", "rate"], "--set rate: write key=value"),
        (["info", "azure_conv_2023", "--rate", "-1"], "rate: must be a number > 0, got -1.0"),
        (["convert", "azure_conv_2023", "--out", "a.txt"], "--out a.txt: must end in .jsonl or .csv"),
        (["convert", "azure_conv_2023", "--out", "none/a.jsonl"], "none/a.jsonl: there is no folder none"),
        (["convert", "azure_conv_2023", "--out", "a.csv", "--sessions"], "--sessions: writes turns"),
        (["generate", "azure_conv_2032", "--out", "a.jsonl"], "did you mean 'azure_conv_2023'?"),
        (["generate", "--out", "a.jsonl"], "generate: give either a NAME of the catalogue or --from STUDY"),
        (["generate", "azure_conv_2023", "--from", "s.yaml", "--out", "a.jsonl"], "generate: give either"),
        (["generate", "--from", "s.yaml", "--out", "a.jsonl"], "s.yaml: no such file"),
        (["generate", "azure_conv_2023", "--set", "rate=2", "--out", "a.jsonl"], "only a study (--from) has keys"),
        (["get", "azure_conv"], "did you mean 'azure_conv_2023'?"),
        (["get"], "get: give the NAME of a published trace; --list names them"),
    ],
)
def test_mistakes_are_said_in_one_line_and_nothing_is_written(folder, arguments, said):
    done = run(*arguments, status=2)
    assert said in done.stderr
    assert (done.stdout, len(done.stderr.splitlines()), list(folder.iterdir())) == ("", 1, [])


def test_generate_writes_the_catalogue_as_it_is_opened(folder):
    run("generate", "azure_conv_2023", "--out", "out.csv", "--rate", 2, "--requests", 50, "--seed", 4)
    run("convert", "azure_conv_2023", "--out", "same.csv", "--rate", 2, "--requests", 50, "--seed", 4)
    assert (folder / "out.csv").read_text() == (folder / "same.csv").read_text()
    assert len((folder / "out.csv").read_text().splitlines()) == 51


def test_generate_writes_the_workload_of_a_study_with_its_keys_changed(folder):
    write_study(folder)
    run("generate", "--from", "tiny.yaml", "--out", "out.jsonl", "--requests", 7)
    run("generate", "--from", "tiny.yaml", "--out", "same.jsonl", "--set", "workload.requests=7")
    assert (folder / "out.jsonl").read_text() == (folder / "same.jsonl").read_text()
    assert len((folder / "out.jsonl").read_text().splitlines()) == 7


def test_a_file_that_is_there_is_written_over_by_force_alone(folder):
    (folder / "out.jsonl").write_text("mine")
    done = run("generate", "azure_conv_2023", "--out", "out.jsonl", "--requests", 3, status=2)
    assert (done.stderr, (folder / "out.jsonl").read_text()) == ("out.jsonl: exists; --force writes over it\n", "mine")
    run("generate", "azure_conv_2023", "--out", "out.jsonl", "--requests", 3, "--force")
    assert len((folder / "out.jsonl").read_text().splitlines()) == 3


def test_get_lists_what_is_published():
    printed = run("get", "--list").stdout
    assert [line.split()[0] for line in printed.splitlines()] == list(public.public_traces())


def test_get_keeps_a_trace_that_is_there_and_says_its_licence(folder):
    source = shared("azure/AzureLLMInferenceTrace_code.csv")
    (folder / source.name).write_bytes(source.read_bytes())
    printed = run("get", "azure_code_2023").stdout
    assert printed.startswith("AzureLLMInferenceTrace_code.csv: is there already, sha256 as published\n")
    assert "licence CC-BY-4.0; cite Patel et al." in printed


def test_get_says_why_it_could_not(folder, monkeypatch):
    def refuse(*_, **__):
        raise TraceError(["https://x.org/t.csv: no download after 3 attempts: no route"])

    monkeypatch.setattr(public, "_fetch", refuse)
    done = run("get", "azure_code_2023", status=2)
    assert done.stderr.splitlines()[-1] == "https://x.org/t.csv: no download after 3 attempts: no route"
    assert list(folder.iterdir()) == []
