"""Keys of studies about shares of the SMs: curves, tables, ladders, and systems with roles of their own."""

import pytest

from simcore.cost.by_share import ByShare
from simcore.cost.sm_curve import paper_curve
from simcore.study.cell import cost_of
from tests.study.test_mechanism_keys import with_study, with_system
from tests.study.test_profile import profile
from tests.study.tiny import TINY, cells, problems_of

HEAD = "prefill_pct,decode_pct,prefill_worth,decode_worth\n"
CURVE = "sm_pct,prefill,decode\n50,2,1.5\n100,1,1\n"


def with_cost(cost):
    return TINY.replace("question: does it run?", f"cost: {cost}")


def test_without_a_word_the_cost_model_itself_says_what_a_share_is_worth():
    assert cells()[0].sm_curve is None
    assert not isinstance(cost_of(cells()[0]), ByShare)


def test_the_papers_curve_and_a_table_are_chosen_by_name(tmp_path):
    (tmp_path / "curve.csv").write_text(CURVE)
    paper, table = (cells(with_cost(f"{{sm_curve: {name}}}"), tmp_path)[0] for name in ("paper", "curve.csv"))
    assert paper.sm_curve == paper_curve()
    assert table.sm_curve is not None
    assert table.sm_curve.decode[50] == 1.5
    assert paper.hash != table.hash != cells()[0].hash
    assert isinstance(cost_of(paper), ByShare)


def test_a_table_of_contention_reaches_the_simulator(tmp_path):
    (tmp_path / "worth.csv").write_text(HEAD + "100,100,70,45\n")
    found = cells(with_study("{sm_split: [100, 100], contention: worth.csv}"), tmp_path)[0].mechanisms
    assert (found.contention, found.sm_shares) == ("table", ((100, 100, 70, 45),))


def test_switches_ladders_and_interference_reach_the_simulator():
    written = "{sm_split: [50, 50], sm_switch: green_ladder, sm_ladder: [[50, 50], [75, 25]], sm_interference: 1.2}"
    found = cells(with_study(written))[0].mechanisms
    assert (found.sm_switch, found.sm_ladder, found.sm_interference) == ("green_ladder", ((50, 50), (75, 25)), 1.2)


def test_a_system_may_have_roles_of_its_own():
    apart = "{router: disaggregated, roles: [prefill, decode]}"
    first, second = cells(TINY.replace("{router: round_robin}", apart))
    assert (first.roles, second.roles) == (("prefill", "decode"), ())
    assert first.topology is not None, "it copies KV"
    assert second.topology is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (with_cost("{sm_curve: papr}"),
         "cost.sm_curve: unknown sm_curve 'papr'; have cost, paper (did you mean 'paper'?)"),
        (with_cost("{sm_curve: none.csv}"), "cost.sm_curve: no such file: 'none.csv'"),
        (with_study("{contention: none.csv}"), "mechanism.contention: no such file: 'none.csv'"),
        (with_study("{sm_split: [50, 50], sm_switch: green_ladder, sm_ladder: [[75, 25]]}"),
         "mechanism.sm_split: must be a rung of sm_ladder, [75, 25], got [50, 50]"),
        (with_study("{sm_split: [50, 50], sm_switch: green_ladder}"),
         "mechanism.sm_split: must be a rung of sm_ladder, which is empty, got [50, 50]"),
        (with_system("{sm_split: [50, 50], schedule_ahead: 1, sm_switch: restart}"),
         "systems.round_robin.mechanism.sm_switch: both lanes stop for it, which schedule_ahead cannot; must be "
         "delayed_async or green_ladder, got restart"),
        (with_study("{sm_interference: 0.5}"), "mechanism.sm_interference: must be >= 1, got 0.5"),
        (TINY.replace("{router: round_robin}", "{router: disaggregated, roles: [prefill]}"),
         "systems.round_robin.roles: must be as many as there are instances (2), got 1"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_where_it_is_written(text, line):
    found = [problem.partition(": ")[2] for problem in problems_of(text)]
    assert line in found, found


def test_a_fitted_profile_needs_a_curve_to_know_what_a_share_is_worth(tmp_path):
    profile(tmp_path)
    lanes = with_cost("p.json").replace("cluster:", "mechanism: {sm_split: [50, 50]}\ncluster:")
    assert [problem.partition(": ")[2] for problem in problems_of(lanes, tmp_path)] == [
        "cost: a fitted profile does not know shares of the SMs; say cost.sm_curve too"
    ]
    assert problems_of(lanes.replace("p.json", "{profile: p.json, sm_curve: paper}"), tmp_path) == []
