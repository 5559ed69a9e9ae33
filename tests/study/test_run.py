"""Running a study: what is finished is kept, what fails stops nobody, results come in the order of the plan."""

import json

import pytest

import simcore
from simcore.study.api import CellsFailed, Study
from simcore.study.errors import StudyError
from tests.study.tiny import TINY, write_study

HEAD = TINY.partition("systems:")[0]
pytestmark = pytest.mark.filterwarnings("ignore:.* failed:UserWarning")


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCORE_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def run(tmp_path, text=TINY, **how):
    return Study.load(write_study(tmp_path, text)).run(out=tmp_path / "out", jobs=1, plots=False, **how)


def test_a_run_leaves_the_files_people_rely_on(tmp_path):
    results = run(tmp_path, decisions=True)
    written = {path.name for path in results.out.iterdir()}
    assert written == {
        "summary.json", "requests.parquet", "instances.parquet", "decisions.parquet", "study.resolved.yaml", "vllm"
    }  # fmt: skip
    assert results.data["study"] == "tiny"
    assert [run["system"] for run in results.data["runs"]] == ["round_robin", "two"]
    assert all(run["metrics"]["completed"] == 30 for run in results.data["runs"])


def test_classes_reach_the_scheduler_and_the_rows(tmp_path):
    classes = "requests: 300\n  classes: {urgent: {share: 1}, batch: {share: 2, priority: 1}}\n"
    crowded = TINY.replace("requests: 30\n", classes).replace("rate: 20", "rate: 2000")
    scheduler = "{policy: priority, max_num_seqs: 2}"
    text = crowded.replace("{router: round_robin}", f"{{router: round_robin, scheduler: {scheduler}}}")
    requests = run(tmp_path, text).requests("round_robin")
    ttft_s = requests.groupby("request_class", observed=True)["ttft_s"].mean()
    assert set(ttft_s.index) == {"urgent", "batch"}
    assert ttft_s["urgent"] < ttft_s["batch"] / 2


SESSIONS = """\
  sessions:
    turns: {kind: fixed, tokens: 3}
    first_prompt_tokens: {kind: fixed, tokens: 400}
    turn_tokens: {kind: fixed, tokens: 20}
    output_tokens: {kind: fixed, tokens: 4}
    think_s: {kind: exponential, mean: 1}
"""


def test_sessions_on_a_prefix_cache_find_their_history_and_end_as_programs(tmp_path):
    lengths = TINY[TINY.index("  prompt_tokens") : TINY.index("  rate")]
    text = TINY.replace(lengths, SESSIONS).replace("instances: 2", "instances: 1")
    text = text.replace("{router: round_robin}", "{mechanism: {prefix_cache: cold}}")
    results = run(tmp_path, text)
    cached, plain = (run["metrics"] for run in results.data["runs"])
    # Prompts of 400, 424 and 448 tokens. A turn leaves the KV of all but its last token: 403 and 427 tokens, 25 and 26
    # full blocks of 16.
    turns = results.requests("round_robin").groupby("turn")["cached_tokens"].unique()
    assert [turns[turn].tolist() for turn in range(3)] == [[0], [400], [416]]
    assert cached["prefix_hit_rate"] == pytest.approx((400 + 416) / (400 + 424 + 448))
    assert plain["prefix_hit_rate"] is None
    assert cached["programs_completed"] == plain["programs_completed"] == 10
    # Three turns of 4 tokens and two pauses of a second in the mean.
    assert 0.5 < cached["job_completion_time_s_median"] < 5


def test_classes_have_their_own_slo_and_their_own_lines(tmp_path):
    classes = "requests: 30\n  classes: {urgent: {share: 1}, batch: {share: 1}}\n"
    text = TINY.replace("requests: 30\n", classes).replace(
        "tpot_ms: 50", "tpot_ms: 50, classes: {urgent: {ttft_ms: 0.1}}"
    )
    results = run(tmp_path, text)
    attained = results.classes.groupby("request_class")["slo_attainment"].max()
    assert attained.to_dict() == {"batch": 1.0, "urgent": 0.0}
    assert results.data["slo"]["classes"] == {"urgent": {"ttft_ms": 0.1, "tpot_ms": 50}}


def test_frames_are_tidy(tmp_path):
    results = run(tmp_path, TINY + "sweep: {workload.rate: [10, 20]}\nseeds: 2\n")
    assert len(results.summary) == 2 * 2 * 2
    assert list(results.summary.columns[:3]) == ["system", "workload.rate", "seed"]
    assert len(results.requests("two", rate=20)) == 2 * 30
    assert set(results.instances("two").instance) == {0, 1}


def test_systems_meet_the_same_requests(tmp_path):
    results = run(tmp_path, TINY + "seeds: 2\n")
    columns = ["arrival_ps", "prompt_tokens", "output_tokens"]
    seen = {
        (system, seed): rows.sort_values("request")[columns].values.tolist()
        for (system, seed), rows in results.requests().groupby(["system", "seed"], observed=True)
    }
    assert seen["round_robin", 0] == seen["two", 0]
    assert seen["round_robin", 0] != seen["round_robin", 1]


def test_a_second_run_computes_nothing(tmp_path):
    assert run(tmp_path).computed == 2
    again = run(tmp_path)
    assert again.computed == 0
    assert again.data["runs"]


def test_only_what_changed_is_computed(tmp_path):
    run(tmp_path)
    assert run(tmp_path, TINY.replace("choices: 2", "choices: 1")).computed == 1
    assert run(tmp_path, TINY + "seeds: 3\n").computed == 4


def test_equal_systems_are_computed_once(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    system = "{router: {policy: 'odd.py:Counts', folder: " + str(marks) + "}}"
    study = Study.load(write_study(tmp_path, HEAD + f"systems: {{a: {system}, b: {system}}}\n"))
    study.plan()
    built_by_a_plan = len(list(marks.iterdir()))
    results = study.run(out=tmp_path / "out", jobs=1, plots=False)
    assert results.computed == 1
    assert len(list(marks.iterdir())) == 2 * built_by_a_plan + 1
    assert [run["system"] for run in results.data["runs"]] == ["a", "b"]


def test_one_failing_system_stops_no_other(tmp_path):
    text = TINY + "  fails: {router: 'odd.py:Fails'}\n"
    results = run(tmp_path, text)
    assert [run["system"] for run in results.data["runs"]] == ["round_robin", "two"]
    (failure,) = results.failures
    assert (failure.label, failure.reason) == ("fails, seed 0", "odd.py:23: RuntimeError: request 7")
    (failed,) = json.loads((results.out / "failed.json").read_text())
    assert (failed["system"], failed["point"], failed["seed"]) == ("fails", {}, 0)
    assert failed["traceback"].startswith("Traceback")


def test_a_run_in_which_everything_fails_says_why(tmp_path, runs):
    with pytest.raises(CellsFailed, match=r"no cell finished: odd.py:23: RuntimeError: request 7") as raised:
        run(tmp_path, HEAD + "systems: {fails: {router: 'odd.py:Fails'}}\n")
    assert (raised.value.out / "failed.json").is_file()
    assert not list((runs / ".cells").iterdir()), "no half-made cell is left"


def test_a_policy_that_exits_ends_its_own_cell_alone(tmp_path):
    results = run(tmp_path, TINY + "  exits: {router: 'odd.py:Exits'}\n")
    (failure,) = results.failures
    assert (failure.label, failure.reason) == ("exits, seed 0", "odd.py:31: SystemExit: 3")


def test_a_worker_that_dies_takes_no_other_cell_with_it(tmp_path):
    study = Study.load(write_study(tmp_path, HEAD + "systems: {fine: {}, dies: {router: 'odd.py:Dies'}}\nseeds: 2\n"))
    results = study.run(out=tmp_path / "out", jobs=2, plots=False)
    assert sorted(failure.label for failure in results.failures) == ["dies, seed 0", "dies, seed 1"]
    assert results.failures[0].reason == "the process died without a word; out of memory?"
    assert [run["system"] for run in results.data["runs"]] == ["fine", "fine"]


def test_a_second_run_elsewhere_keeps_its_cells_there(tmp_path, monkeypatch):
    monkeypatch.delenv("SIMCORE_RUNS")
    for place in (tmp_path / "first", tmp_path / "second"):
        place.mkdir()
        monkeypatch.chdir(place)
        results = Study.load(write_study(place, TINY)).run(jobs=2, plots=False)
        assert len(list((place / "runs" / ".cells").iterdir())) == len(results.summary) == 2


def test_the_resolved_study_runs_to_the_same_cells_from_anywhere(tmp_path, monkeypatch):
    text = TINY.replace("router: round_robin", "router: 'odd.py:Slow'") + "sweep: {workload.rate: [10, 20]}\n"
    study = Study.load(write_study(tmp_path, text)).override("workload.requests=5").with_seeds_from(3)
    results = study.run(out=tmp_path / "out", jobs=1, plots=False)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    resolved = Study.load(results.out / "study.resolved.yaml")
    assert [cell.hash for cell in resolved.plan()] == [cell.hash for cell in study.plan()]


def test_a_sweep_replaces_the_studys_own(tmp_path):
    study = simcore.Study.load(write_study(tmp_path, TINY + "sweep: {workload.rate: [1, 2, 3]}\n"))
    grid = {"systems.two.router.choices": [1, 2]}
    results = study.sweep(grid, replications=2, out=tmp_path / "out", jobs=1, plots=False)
    assert list(results.summary["systems.two.router.choices"].unique()) == [1, 2]
    assert sorted(results.summary.seed.unique()) == [0, 1]


def test_per_iteration_gives_the_same_requests(tmp_path):
    macro = run(tmp_path).requests()
    steps = run(tmp_path, per_iteration=True).requests()
    assert macro.equals(steps)


def test_a_result_folder_that_cannot_be_used_is_refused_before_anything_runs(tmp_path, runs):
    study = Study.load(write_study(tmp_path))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine")
    for out, why in [
        ("file", "a file is in the way of the result folder"),
        ("file/out", "cannot be written: Not a directory"),
        ("full", "holds other files; name a new folder, an empty one, or that of an earlier run"),
    ]:
        with pytest.raises(StudyError) as raised:
            study.run(out=tmp_path / out)
        assert str(raised.value) == f"{tmp_path / out}: {why}"
    assert (tmp_path / "full" / "thesis.tex").read_text() == "mine"
    assert not runs.exists()


def test_an_earlier_runs_files_do_not_survive_in_its_folder(tmp_path):
    run(tmp_path, decisions=True)
    results = run(tmp_path)
    assert not (results.out / "decisions.parquet").exists()
