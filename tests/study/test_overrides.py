"""`--set`, `Study.set` and sweeps: a dotted key, a value, and a place for what is wrong with it."""

import json
from pathlib import Path

import numpy as np
import pytest

from policies.round_robin import RoundRobin
from simcore.study.api import Study
from simcore.study.errors import StudyError
from simcore.study.load import parse
from simcore.study.validate import keys_at
from tests.study.tiny import TINY


def study(text: str = TINY) -> Study:
    return Study(parse(text, "tiny.yaml", Path()))


def problems(changed: Study) -> list[str]:
    with pytest.raises(StudyError) as raised:
        changed.validate()
    return [str(problem) for problem in raised.value.problems]


def refused(assignment: str) -> str:
    with pytest.raises(StudyError) as raised:
        study().override(assignment)
    return str(raised.value)


def test_a_set_value_is_read_as_yaml():
    (cell, *_) = study().override("workload.rate=1e1").override("slo={e2el_ms: 900}").plan()
    assert cell.spec.workload.rate == 10
    assert cell.spec.slo.limits == {"e2el_ms": 900}


def test_set_makes_the_mappings_it_needs_and_opens_short_forms():
    changed = study().set("warm_up.seconds", 1).set("systems.round_robin.router.policy", "least_loaded")
    changed = changed.set("systems.two.router.choices", 3).set("systems.two.scheduler.max_num_seqs", 8)
    cells = changed.set("model.kv_dtype", "fp8").plan()
    assert cells[0].spec.warm_up.seconds == 1
    assert cells[0].router.reference == "least_loaded"
    assert cells[1].router.arguments == {"choices": 3}
    assert cells[1].scheduler.reference == "vllm_v1"
    assert cells[1].model.kv_dtype == "fp8"


def test_set_leaves_the_study_it_is_called_on_alone():
    first = study()
    first.set("workload.rate", 1)
    assert first.plan()[0].spec.workload.rate == 20


def test_a_wrong_override_names_the_option_not_the_file():
    known = ", ".join(keys_at(("workload",)))
    assert problems(study().override("workload.rat=8")) == [
        f"--set workload.rat=8: workload.rat: unknown key; have {known} (did you mean 'rate'?)"
    ]
    assert problems(study().override("workload.rate=fast")) == [
        "--set workload.rate=fast: workload.rate: must be a number, got 'fast'"
    ]
    assert problems(study().set("workload.rate", -1)) == [
        "set('workload.rate', -1): workload.rate: must be > 0, got -1"
    ]


def test_an_override_mends_what_the_file_has_wrong():
    assert study(TINY.replace("rate: 20", "rate: fast")).override("workload.rate=8").plan()


def test_an_override_that_is_none_is_refused_at_once():
    assert refused("workload.rate") == "--set workload.rate: write key=value"
    assert refused("=8") == "--set =8: write key=value"
    assert refused("study.x=1") == "--set study.x=1: study: is 'tiny', so it has no keys"
    assert refused("slo=[1") == "--set slo=[1: slo: not valid YAML: expected ',' or ']', but got '<stream end>'"


def test_a_list_is_entered_by_index():
    mixture = "{kind: mixture, weights: [0.5, 0.5], mu: [3, 4], sigma: [1, 1]}"
    drawn = study(TINY.replace("{kind: fixed, tokens: 100}", mixture))
    cell = drawn.override("workload.prompt_tokens.mu.1=5").plan()[0]
    assert cell.spec.workload.prompt_tokens == {
        "kind": "mixture", "weights": [0.5, 0.5], "mu": [3, 5], "sigma": [1, 1]
    }  # fmt: skip
    with pytest.raises(StudyError, match=r"is a list of 2; write an index from 0 to 1, got '2'"):
        drawn.override("workload.prompt_tokens.mu.2=5")


def test_seeds_are_counted_from_the_seed_given():
    assert study(TINY + "seeds: 3").with_seeds_from(7).plan()[0].spec.seeds == (7, 8, 9)
    assert study().with_seeds_from(7).plan()[0].spec.seeds == (7,)


def test_what_follows_sweep_is_one_key_of_the_sweep():
    swept = study().override("sweep.workload.rate=[60, 70]").override("sweep.systems.two.router.choices=[1, 2]")
    points = [dict(cell.point) for cell in swept.plan()[:4]]
    assert points == [
        {"workload.rate": rate, "systems.two.router.choices": choices} for rate in (60, 70) for choices in (1, 2)
    ]
    assert swept.set("sweep.workload.rate", [5]).plan()[0].spec.workload.rate == 5


def test_a_list_inside_is_swept_by_index():
    mixture = "{kind: mixture, weights: [0.5, 0.5], mu: [3, 4], sigma: [1, 1]}"
    drawn = study(TINY.replace("{kind: fixed, tokens: 100}", mixture))
    cells = drawn.override("sweep.workload.prompt_tokens.mu.1=[5, 6]").plan()
    drawn_from = [cell.spec.workload.prompt_tokens or {} for cell in cells[:2]]
    assert [each["mu"] for each in drawn_from] == [[3, 5], [3, 6]]


def test_a_wrong_sweep_names_the_option():
    assert problems(study().override("sweep.workload.rate=8")) == [
        "--set sweep.workload.rate=8: sweep.workload.rate: must be a list, got 8"
    ]
    assert problems(study().override("sweep.slo.tft_ms=[8]"))[0].startswith(
        "--set sweep.slo.tft_ms=[8]: slo.tft_ms: unknown key; have ttft_ms, "
    )


def test_values_of_numpy_and_paths_are_what_a_file_would_hold():
    changed = study().set("workload.rate", np.float64(8)).set("workload.requests", np.int64(5))
    changed = changed.set("sweep.cluster.instances", np.arange(1, 3)).set("hardware", Path("h200"))
    cells = changed.plan()
    assert [cell.spec.cluster.instances for cell in cells] == [1, 2, 1, 2]
    assert json.loads(json.dumps(dict(cells[1].point))) == {"cluster.instances": 2}
    assert (cells[0].spec.workload.rate, cells[0].spec.workload.requests) == (8.0, 5)
    assert cells[0].spec.hardware == "h200"


def test_a_value_no_file_could_hold_is_refused_where_it_is_set():
    with pytest.raises(StudyError, match=r"^set\('workload.rate', \{8\}\): workload.rate: a set has no meaning"):
        study().set("workload.rate", {8})
    with pytest.raises(StudyError, match=r"keys must be text, got 1"):
        study().set("slo", {1: 2})


def test_a_class_in_the_place_of_a_policy_is_told_to_move_into_a_file():
    with pytest.raises(
        StudyError, match=r"systems.two.router: a policy is named by its file.*'my_policy.py:RoundRobin'"
    ):
        study().set("systems.two.router", RoundRobin)


def test_only_keeps_systems_in_the_order_given():
    assert [cell.system for cell in study().only("two", "round_robin").plan()] == ["two", "round_robin"]
    assert [cell.system for cell in study().only("two").plan()] == ["two"]
    with pytest.raises(StudyError, match=r"^only\('tow'\): systems: unknown system 'tow'.*did you mean 'two'"):
        study().only("tow")
    with pytest.raises(StudyError, match=r"name one or more of round_robin, two"):
        study().only()


def test_a_study_shows_itself_as_yaml_that_reads_back():
    changed = study().set("workload.rate", 8).set("question", "Is a < b?")
    again = Study(parse(str(changed), "again", Path()))
    assert [cell.hash for cell in again.plan()] == [cell.hash for cell in changed.plan()]
    assert "Is a &lt; b?" in changed._repr_html_()
    assert repr(changed) == "<Study tiny, from tiny.yaml>"


def test_a_key_that_is_set_is_swept_no_longer():
    swept = study(TINY + "sweep: {workload.rate: [1, 2], cluster.instances: [1, 2]}\n")
    cells = swept.override("workload.rate=8").plan()
    assert [dict(cell.point) for cell in cells[:2]] == [{"cluster.instances": 1}, {"cluster.instances": 2}]
    assert cells[0].spec.workload.rate == 8
