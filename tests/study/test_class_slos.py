"""`slo.classes`: limits of a class over the study's."""

import pytest

from tests.study.tiny import TINY, cells, problems_of

CLASSES = TINY.replace(
    "requests: 30\n", "requests: 30\n  classes: {interactive: {share: 1}, batch: {share: 1, priority: 1}}\n"
)


def with_slo(classes: str, text: str = CLASSES) -> str:
    return text.replace("tpot_ms: 50}", f"tpot_ms: 50, classes: {classes}}}")


def test_a_class_keeps_the_limits_it_does_not_override():
    slo = cells(with_slo("{interactive: {ttft_ms: 200}, batch: {tpot_ms: 90, e2el_ms: 9000}}"))[0].spec.slo
    assert slo.limits == {"ttft_ms": 500, "tpot_ms": 50}
    assert slo.class_limits == {
        "interactive": {"ttft_ms": 200, "tpot_ms": 50},
        "batch": {"ttft_ms": 500, "tpot_ms": 90, "e2el_ms": 9000},
    }


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ("{interactiv: {ttft_ms: 1}}",
         "slo.classes.interactiv: unknown class 'interactiv'; have interactive, batch (did you mean 'interactive'?)"),
        ("{batch: {ttft: 1}}",
         "slo.classes.batch.ttft: unknown key; have ttft_ms, tpot_ms, e2el_ms (did you mean 'ttft_ms'?)"),
        ("{batch: {ttft_ms: 0}}", "slo.classes.batch.ttft_ms: must be > 0, got 0"),
        ("{batch: 5}", "slo.classes.batch: must be a mapping of keys, got 5"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_slo_of_a_class_is_named_where_it_is_written(classes, said):
    (found,) = problems_of(with_slo(classes))
    place, _, message = found.partition(": ")
    assert place.startswith("tiny.yaml:13:")
    assert message == said


def test_a_class_the_workload_does_not_have_is_refused():
    (found,) = problems_of(with_slo("{batch: {ttft_ms: 1}}", TINY))
    assert found.endswith("slo.classes.batch: unknown class 'batch'; have default")
