"""Order of recorded conversations, large files, and wishes that cannot be met."""

import gzip
import subprocess
import sys

import pytest

from tests.traces.conversing import TIMED, S, answers, asked, calls, opened, steps, talk, whole, written
from traces import ParameterError, TraceError
from traces.conversations import open_conversations, survey
from traces.pieces import arrays_of


def runs(folder, n=50):
    """Write n runs, run k of k % 7 + 1 steps with prompts of 100 k + 1 tokens and on."""
    return steps(
        folder,
        *(
            f"r{k},{i},{1000 + (37 * k) % 50 + i},{100 * k + i + 1},0,{k + 1},0,9"
            for k in range(n)
            for i in range(k % 7 + 1)
        ),
    )


def lists(requests):
    return [column.tolist() for column in arrays_of(requests)]


def of_programs(requests):
    """Return prompts and gaps of each program."""
    found = {}
    rows = zip(requests.program.tolist(), requests.prompt_tokens.tolist(), requests.gap_ps.tolist(), strict=True)
    for program, prompt, gap in rows:
        found.setdefault(program, []).append((prompt, gap))
    return list(found.values())


def test_shuffling_moves_whole_conversations_and_goes_by_the_seed(tmp_path):
    path = runs(tmp_path)
    plain, one, again, other = (
        of_programs(whole(opened(path, order=order, seed=seed)))
        for order, seed in (("file", 1), ("shuffled", 1), ("shuffled", 1), ("shuffled", 2))
    )
    assert plain == of_programs(whole(opened(path, seed=2)))
    assert one == again != plain
    assert other != one
    assert sorted(one) == sorted(other) == sorted(plain)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("wishes", [TIMED, TIMED | {"order": "shuffled"}, {}, {"rate": 3.0, "requests": 60}])
def test_a_file_too_large_to_keep_gives_the_same_requests(tmp_path, monkeypatch, packed, wishes):
    path = runs(tmp_path)
    if packed:
        path = tmp_path / "mini.csv.gz"
        path.write_bytes(gzip.compress((tmp_path / "mini.csv").read_bytes()))
    kept = lists(whole(open_conversations(path, **wishes)))
    survey._survey.cache_clear()
    monkeypatch.setattr(survey, "KEPT_NUMBERS", 0)
    monkeypatch.setattr(survey, "_PIECE_TURNS", 16)
    large = open_conversations(path, **wishes)
    assert large.survey.kept is None
    assert len(list(large.pieces())) > 2
    assert lists(whole(large)) == kept
    survey._survey.cache_clear()


def test_heads_survive_being_read_again_in_another_order(tmp_path, monkeypatch):
    lines = [talk(asked(0, [k, 1]), asked(1, [k, 1, 2]), asked(2, [k, 3]), tools=2) for k in range(20)]
    path = written(tmp_path, "kv", lines)
    kept = lists(whole(opened(path, order="shuffled")))
    survey._survey.cache_clear()
    monkeypatch.setattr(survey, "KEPT_NUMBERS", 0)
    assert lists(whole(opened(path, order="shuffled"))) == kept
    survey._survey.cache_clear()


def test_tools_and_equal_names_survive_another_order(tmp_path, monkeypatch):
    rows = [f"a{k},{i},m,0,{2 * i},{2 * i + 1},{10 * k + i + 1},5,1" for k in range(20) for i in range(3)]
    tools = [f"a{k},{i},{i},T{(k + i) % 4},{2 * i + 1},{2 * i + 2},1" for k in range(20) for i in range(3)]
    # Two prompts take turns: their groups have equal names, and may come to stand side by side.
    groups = [f"b,p{k % 2},m,{i},{10 * k + i + 1},0,stop" for k in range(20) for i in range(2)]
    paths = calls(tmp_path, *rows, tools=tools), answers(tmp_path, *groups)
    kept = [lists(whole(opened(path, order="shuffled"))) for path in paths]
    survey._survey.cache_clear()
    monkeypatch.setattr(survey, "KEPT_NUMBERS", 0)
    assert [lists(whole(opened(path, order="shuffled"))) for path in paths] == kept
    survey._survey.cache_clear()


def test_a_large_file_is_read_in_bounded_memory(tmp_path):
    # 80,000 turns would be 5 MB as columns and 40 MB as rows.
    script = """
import resource, sys
from pathlib import Path
from traces.conversations import open_conversations, survey
survey.KEPT_NUMBERS = 20_000
path = Path(sys.argv[1])
with path.open("w") as file:
    file.write("instance_id,step,created,prompt_tokens,cached_tokens,completion_tokens,observation_chars\\n")
    for run in range(2_000):
        file.writelines(f"run{run},{i},{run + i},{100 + 50 * i},0,20,9\\n" for i in range(40))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
workload = open_conversations(path, arrivals={"kind": "poisson"}, rate=1.0)
assert sum(map(len, workload.pieces())) == 80_000
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "runs.csv")], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 12


@pytest.mark.parametrize(
    ("wishes", "problem"),
    [
        ({}, "arrivals: kv_cache_tester files do not say when conversations start relative to each other: give arriv"),
        ({"rate": 1.0}, "arrivals: kv_cache_tester files do not say"),
        ({"arrivals": {"kind": "poisson"}}, "rate: must be a number > 0, got nothing"),
        (
            TIMED | {"order": "shufled"},
            "order: must be one of file, shuffled, got 'shufled' (did you mean 'shuffled'?)",
        ),
        (TIMED | {"bad_rows": "drop"}, "bad_rows: must be one of stop, skip, got 'drop'"),
        (TIMED | {"requests": 0}, "requests: must be a whole number >= 1, got 0"),
        (TIMED | {"requests": 9}, "requests: must be at most 1, the turns of"),
        (TIMED | {"seed": -1}, "seed: must be a whole number >= 0, got -1"),
        (
            TIMED | {"prompt_tokens": {"kind": "fixed", "tokens": 1}},
            "prompt_tokens: must be left out where the file say",
        ),
        (
            TIMED | {"format": "kv_cache_testr"},
            "format: must be one of kv_cache_tester, agentcgroup, mini_swe_agent, tr",
        ),
    ],
)
def test_a_wish_that_cannot_be_met_is_named(tmp_path, wishes, problem):
    with pytest.raises(ParameterError) as error:
        open_conversations(written(tmp_path, "kv", [talk(asked(0, [1]))]), **wishes)
    assert error.value.problems[0].startswith(problem)


def test_a_wrong_prompt_distribution_is_named(tmp_path):
    with pytest.raises(ParameterError, match=r"prompt_tokens\.kind: must be one of"):
        opened(answers(tmp_path, "b,p,m,0,71,64,stop"), prompt_tokens={"kind": "fix"})


def test_recorded_starts_have_an_order(tmp_path):
    with pytest.raises(ParameterError, match="order: conversations that start as recorded have an order"):
        open_conversations(runs(tmp_path), order="shuffled")


def test_conversations_at_one_time_have_no_rate_to_scale(tmp_path):
    with pytest.raises(ValueError, match=r"rate: .* has 1 conversation"):
        open_conversations(steps(tmp_path, "a,0,100,10,0,5,0,7"), rate=2.0)


def test_starts_beyond_the_clock_are_refused(tmp_path):
    with pytest.raises(ValueError, match="rate: the conversations must start within 106 days"):
        open_conversations(steps(tmp_path, "a,0,100,10,0,5,0,7", "b,0,101,10,0,5,0,7"), rate=1e-8)


def test_conversations_may_all_arrive_at_once(tmp_path):
    workload = open_conversations(runs(tmp_path), arrivals={"kind": "all_at_once"})
    assert not whole(workload).at_ps.any()
    assert workload.lasts_s == 0.0


def test_an_untimed_file_takes_the_arrivals_given(tmp_path):
    path = written(tmp_path, "kv", [talk(asked(0, [1]), asked(1, [1]))] * 3)
    workload = opened(path, rate=2.0)
    assert whole(workload).at_ps.tolist() == [0, 0, S // 2, S // 2, S, S]
    assert (workload.rate, workload.requests, workload.lasts_s) == (2.0, 6, 1.0)


def test_a_file_of_another_format_says_what_it_looks_like(tmp_path):
    with pytest.raises(TraceError, match="1:1: read as tracelab, but it looks like mini_swe_agent"):
        open_conversations(runs(tmp_path), "tracelab")
    with pytest.raises(TraceError, match="1:1: looks like no known format of conversations"):
        open_conversations(written(tmp_path, "x", ["hello"]))
    with pytest.raises(TraceError, match="1:1: no such file"):
        open_conversations(tmp_path / "nowhere")
