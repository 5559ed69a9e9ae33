"""Two results of any kind side by side: read, matched, compared, with what to beware of."""

from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

from simcore.results import StudyFacts, assemble
from simcore.results.compare import selection, share_of
from simcore.results.compare_rows import BATCHES, Rows, batch_difference
from simcore.results.compare_source import ResultError, open_source
from tests.results.comparing import FIVE, by_name, compared, printed
from tests.results.toy import SLO, toy_cell, toy_run
from tests.results.vllm_files import vllm_file, vllm_result
from tests.results.vllm_formulas import Served


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two systems at two rates with two seeds."""
    folder = tmp_path_factory.mktemp("study")
    cells = [
        toy_cell(
            folder / f"{system}-{rate}-{seed}",
            toy_run(rate=rate, requests=300, seed=seed, slow=slow),
            system=system,
            point={"workload.rate": rate},
            seed=seed,
        )
        for system, slow in (("first", 1.0), ("second", 0.8))
        for rate in (10.0, 40.0)
        for seed in (0, 1)
    ]
    facts = StudyFacts("toy", "Which one?", seeds=(0, 1), slo=SLO, model="toy-8b")
    assemble(folder / "out", cells, study=facts, provenance={})
    return folder / "out"


# -- what to beware of --------------------------------------------------------------------------------------


def test_different_work_is_warned_about(tmp_path):
    a = vllm_file(tmp_path / "a.json", vllm_result(FIVE, request_rate=4.0))
    longer = [Served(each.start_s, 60, each.ttft_s, each.itl_s) for each in FIVE]
    setup: dict[str, Any] = {
        "request_rate": 8.0,
        "num_prompts": 7,
        "model_id": "other",
        "burstiness": 0.5,
        "max_concurrency": 4,
    }
    b = vllm_file(tmp_path / "b.json", vllm_result(longer, **setup))
    assert compared(a, b).warnings == [
        "different models: meta-llama/Llama-3.1-8B and other",
        "different numbers of requests: 5 and 7",
        "different request rates: 4 and 8 requests per second",
        "different burstiness of arrivals: 1 and 0.5",
        "different totals of input tokens: 250 and 300",
    ]


def test_inf_settles_nothing_about_arrivals(tmp_path):
    # vLLM writes it for all at once, and for a trace replayed with --self-timed.
    a = vllm_file(tmp_path / "a.json", vllm_result(FIVE, request_rate="inf"))
    b = vllm_file(tmp_path / "b.json", vllm_result(FIVE, request_rate=8.0, burstiness=0.5))
    assert compared(a, b).warnings == []


# -- result folders -----------------------------------------------------------------------------------------


def test_two_folders_of_one_study_are_compared_system_by_system(study):
    comparison = compared(study, study)
    assert [pair.a[0].name for pair in comparison.pairs] == [
        "first at rate 10", "first at rate 40", "second at rate 10", "second at rate 40"
    ]  # fmt: skip
    assert comparison.mean_error == 0
    assert {each.method for pair in comparison.pairs for each in pair.metrics} == {"seed by seed"}
    text = printed(comparison)
    assert "second at rate 40" in text
    assert "mean error of 80 latencies: 0.0%; they are equal\n" in text


def test_two_systems_of_a_study_are_compared_seed_by_seed(study):
    comparison = compared(study, study, "first", "second", rate="40")
    found = by_name(comparison)["mean_tpot_ms"]
    assert found.method == "seed by seed"
    assert found.difference < 0
    assert "first at rate 40" in printed(comparison)


def test_a_run_and_its_own_vllm_file_are_equal(study):
    comparison = compared(study, study / "vllm" / "first-rate_40.0-seed_1.json", "first", rate="40", seed=1)
    assert comparison.mean_error == 0
    assert comparison.warnings == []


def test_a_run_is_to_be_chosen_where_there_are_several(study, tmp_path):
    b = vllm_file(tmp_path / "b.json", vllm_result(FIVE))
    with pytest.raises(ResultError, match="second at rate 40, seed 0, 1"):
        compared(study, b)
    with pytest.raises(ResultError, match=r"'speed' was not varied; workload\.rate was"):
        compared(study, b, "first", speed="3")
    with pytest.raises(ResultError, match="no such run"):
        compared(study, b, "third")


def test_one_run_of_each_has_intervals_from_batches_of_requests(study, tmp_path):
    rng = np.random.default_rng(0)
    many = [Served(index / 10, 50, float(ttft), [0.02]) for index, ttft in enumerate(rng.uniform(0.1, 0.2, 300))]
    b = vllm_file(tmp_path / "b.json", vllm_result(many, detailed=True))
    found = by_name(compared(study, b, "first", rate="10", seed=0))
    assert found["mean_ttft_ms"].method == "batches of requests"
    assert found["mean_ttft_ms"].ci_low is not None
    assert found["p99_ttft_ms"].method == ""


def rows(ttft_s: list[float], prompt: int = 10) -> Rows:
    values = np.array(ttft_s)
    tokens = np.full(len(values), prompt)
    return Rows(tokens, tokens, {"ttft": values, "tpot": values, "e2el": values})


def test_the_same_requests_are_compared_one_by_one():
    slow = np.linspace(1, 2, 400)
    paired = batch_difference(rows(list(slow + 0.1)), rows(list(slow)), "ttft")
    other = batch_difference(rows(list(slow + 0.1), prompt=11), rows(list(slow)), "ttft")
    assert paired is not None
    assert other is not None
    assert paired.n == BATCHES
    assert paired.mean == pytest.approx(100)
    # Every request is 100 ms slower, whatever its own time.
    assert paired.half_width == pytest.approx(0, abs=1e-6)
    assert other.half_width is not None
    assert other.half_width > 100


def test_too_few_requests_make_no_batches():
    assert batch_difference(rows([1.0] * 199), rows([1.0] * 199), "ttft") is None


def test_requests_of_the_warm_up_are_not_compared(study, tmp_path):
    copy = copytree(study, tmp_path / "copy")
    (copy / "study.resolved.yaml").write_text("warm_up: {seconds: 0.0, requests: 100}\n")
    run = next(run for run in open_source(copy).runs if run.seed == 0)
    assert run.rows is not None
    served = run.rows()
    whole = open_source(study).runs[0].rows
    assert whole is not None
    assert 90 <= len(whole().output_tokens) - len(served.output_tokens) <= 100


# -- what cannot be compared --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["five", "-1%", "nan", ""])
def test_a_largest_error_must_be_a_share(text):
    with pytest.raises(ResultError, match="--max-error must be a share"):
        share_of(text)


def test_a_point_is_chosen_by_key_and_value():
    assert selection(["rate=8", "a.b=x"]) == {"rate": "8", "a.b": "x"}
    with pytest.raises(ResultError, match="--at must be key=value, got 'rate'"):
        selection(["rate"])
