"""`simcore why`: what became of one request, and what is said of one that is not there."""

import pytest

from tests.cli.command import simcore
from tests.study.tiny import TINY, write_study

BUSY = TINY.replace("rate: 20", "rate: 400").replace("instances: 2", "instances: 1").replace("two:", "other:")
LIMITED = BUSY.replace("{router: round_robin}", "{router: round_robin, scheduler: {policy: vllm_v1, max_num_seqs: 2}}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Result folders of a crowded instance: `out` with decisions, `short` without."""
    folder = tmp_path_factory.mktemp("why")
    write_study(folder, LIMITED)
    for out, more in (("out", ["--decisions"]), ("short", [])):
        ran = simcore("run", "tiny.yaml", "--no-plots", "--jobs", "1", "--out", out, *more, folder=folder)
        assert ran.returncode == 0, ran.stderr
    return folder


def why(folder, *arguments):
    ran = simcore("why", *arguments, folder=folder)
    return ran.returncode, ran.stdout, ran.stderr


def test_the_last_of_a_crowd_waited_for_those_before_it(folder):
    code, said, _ = why(folder, "out", "29", "--system", "round_robin")
    assert code == 0
    lines = [line.split() for line in said.splitlines()]
    assert said.startswith("round_robin, seed 0: request 29: finished; 100 prompt tokens")
    assert "TTFT" in said
    assert "SLO 500 ms" in said
    assert [line[1] for line in lines[5:8]] == ["waiting", "prefill", "decode"]
    assert "others were admitted" in said


def test_without_a_name_every_system_tells_its_story(folder):
    _, said, _ = why(folder, "out", "3")
    assert [line.partition(",")[0] for line in said.splitlines() if ": request 3" in line] == ["round_robin", "other"]


def test_without_decisions_latencies_are_told_and_how_to_learn_more(folder):
    code, said, _ = why(folder, "short", "3")
    assert code == 0
    assert "run with --decisions" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "3"], "simcore: nowhere: no results here: it has no summary.json"),
        (["out", "30"], "simcore: request must be one of 0..29, got 30"),
        (["out", "3", "--system", "third"], "simcore: --system must be one of round_robin, other, got 'third'"),
        (["out", "3", "--seed", "9"], "simcore: --seed must be one of 0, got 9"),
        (["out", "3", "--at", "rate=8"], "simcore: --at: 'rate' was not varied"),
    ],
)
def test_what_is_not_there_is_said_in_a_line(folder, arguments, message):
    code, said, error = why(folder, *arguments)
    assert (code, said, error.strip()) == (2, "", message)
