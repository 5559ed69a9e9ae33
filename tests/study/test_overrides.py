"""`--set`, `Study.set` and sweeps: a dotted key, a value, and a place for what is wrong with it."""

from pathlib import Path

import pytest

from simcore.study.api import Study
from simcore.study.errors import StudyError
from simcore.study.load import parse
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
    assert problems(study().override("workload.rat=8")) == [
        "--set workload.rat=8: workload.rat: unknown key; have trace, format, time_unit, arrivals, prompt_tokens, "
        "output_tokens, rate, requests, classes, sessions, programs, ttft_timeout_s, timeout_s (did you mean 'rate'?)"
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


def test_a_key_that_is_set_is_swept_no_longer():
    swept = study(TINY + "sweep: {workload.rate: [1, 2], cluster.instances: [1, 2]}\n")
    cells = swept.override("workload.rate=8").plan()
    assert [dict(cell.point) for cell in cells[:2]] == [{"cluster.instances": 1}, {"cluster.instances": 2}]
    assert cells[0].spec.workload.rate == 8
