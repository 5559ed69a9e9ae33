"""Results as a notebook user meets them: shown, opened again, compared; what failed is said."""

import warnings

import numpy as np
import pytest

from simcore.study.api import Study
from simcore.study.errors import StudyError
from simcore.study.results import Results
from tests.study.tiny import TINY, write_study


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCORE_RUNS", str(tmp_path / "runs"))


@pytest.fixture
def tiny(tmp_path) -> Study:
    return Study.load(write_study(tmp_path, TINY))


def run(study: Study, **how) -> Results:
    return study.run(jobs=1, plots=False, **how)


def test_results_show_what_the_terminal_shows(tiny):
    results = run(tiny)
    page = results._repr_html_()
    assert "<b>tiny</b>: does it run?" in page
    assert all(word in page for word in ("round_robin", "two", "TTFT", "STABLE", "one seed: no intervals"))
    assert repr(results) == f"<Results of tiny: 2 runs, in {results.out}>"


def test_frames_of_results_are_those_of_their_folder(tiny):
    results = tiny.sweep({"workload.rate": np.array([20, 40])}, replications=2, jobs=1, plots=False)
    assert list(results.ci("mean_ttft_ms")["n"]) == [2, 2, 2, 2]
    assert set(results.compare("mean_ttft_ms", "request_goodput", baseline="two")["system"]) == {"round_robin"}
    assert list(results.breaking["system"]) == ["round_robin", "two"]
    again = Results.open(results.out)
    assert again.summary.equals(results.summary)
    assert again.failures == ()


def test_a_run_in_the_same_second_has_a_folder_of_its_own(tiny):
    first, second, third = (run(tiny.set("workload.rate", rate)) for rate in (20, 30, 20))
    assert len({first.out, second.out, third.out}) == 3
    assert first.summary.equals(third.summary)
    assert not first.summary.equals(second.summary)


def test_a_system_that_failed_is_warned_of_shown_and_read_back(tiny):
    broken = tiny.set("systems.bad.router", "odd.py:Fails")
    with pytest.warns(UserWarning, match=r"a cell failed: bad, seed 0: odd.py:23: RuntimeError: request 7") as caught:
        results = run(broken)
    assert caught[0].filename == __file__
    assert "bad, seed 0: odd.py:23: RuntimeError: request 7" in results._repr_html_()
    assert "2 runs, 1 failed" in repr(results)
    (failure,) = Results.open(results.out).failures
    assert (failure.label, failure.traceback) == (results.failures[0].label, results.failures[0].traceback)


def test_the_command_line_warns_in_its_own_words(tiny):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run(tiny.set("systems.bad.router", "odd.py:Fails"), command=["simcore", "run"]).failures


def test_a_folder_without_results_is_not_opened(tmp_path):
    with pytest.raises(StudyError, match=r"nowhere: no results here: it has no summary.json"):
        Results.open(tmp_path / "nowhere")


def test_a_grid_that_is_none_is_refused_with_the_rule(tiny):
    with pytest.raises(StudyError, match=r"^sweep\(…\): sweep.workload.rate: must be a list, got 8$"):
        tiny.sweep({"workload.rate": 8})
    with pytest.raises(StudyError, match=r"^sweep\(…\): sweep.systems.two.router: must be a list, got 'round_robin'$"):
        tiny.sweep({"systems.two.router": "round_robin"})
    with pytest.raises(StudyError, match=r"^sweep\(…\): seeds: must be a count from 1 to 10000"):
        tiny.sweep({"workload.rate": [8]}, replications=0)


def test_what_a_user_can_mend_has_no_traceback_in_a_notebook(tiny):
    with pytest.raises(StudyError) as raised:
        run(tiny.set("workload.rat", 8))
    (line,) = raised.value._render_traceback_()
    assert line.startswith("StudyError: set('workload.rat', 8): workload.rat: unknown key")
