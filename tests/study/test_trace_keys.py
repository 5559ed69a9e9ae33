"""Trace keys: what a study says of its trace reaches the reader, and mistakes have their place in the study."""

import pytest

from simcore.study.errors import StudyError
from simcore.study.traffic import open_workload
from tests.study.tiny import TINY, cells, problems_of

TABLE = "prompt_len,output_len\n" + "".join(f"{row},5\n" for row in range(10, 50))
OWN = "when,who,asked,said\n" + "".join(f"{row * 500},{'ab'[row % 2]},{row + 10},5\n" for row in range(40))
BURST = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n" + "".join(
    f"{row},ChatGPT,100,{row % 4},{100 + row % 4},API log\n" for row in range(40)
)


def study(workload: str) -> str:
    """Return the tiny study with another workload, whose keys begin at line 7."""
    return TINY[: TINY.index("  arrivals")] + workload + TINY[TINY.index("slo") :]


def written(folder, text: str):
    (folder / "trace").write_text(text)
    return folder


def test_a_table_without_times_runs_at_the_studys_rate(tmp_path):
    text = study("  trace: ./trace\n  arrivals: {kind: constant}\n  rate: 2\n  order: shuffled\n  requests: 60\n")
    (cell, *_) = cells(text, written(tmp_path, TABLE))
    workload = open_workload(cell.spec, cell.trace_file, 0)
    assert (workload.requests, workload.rate) == (60, 2.0)


def test_what_a_table_lacks_is_said_in_the_study(tmp_path):
    found = problems_of(study("  trace: ./trace\n"), written(tmp_path, TABLE))
    assert found == [
        "tiny.yaml:6:1: workload.arrivals: trace (format lengths) has no arrival times; "
        "add arrivals: {kind: poisson} and a rate"
    ]


def test_columns_a_unit_and_classes_are_read(tmp_path):
    columns = "{arrival: when, prompt_tokens: asked, output_tokens: said, class: who}"
    text = study(f"  trace: ./trace\n  columns: {columns}\n  time_unit: ms\n")
    (cell, *_) = cells(text, written(tmp_path, OWN))
    workload = open_workload(cell.spec, cell.trace_file, 0)
    assert (workload.classes, workload.rate) == (("a", "b"), 2.0)


def test_an_slo_may_be_a_class_of_the_trace(tmp_path):
    columns = "{arrival: when, prompt_tokens: asked, output_tokens: said, class: who}"
    text = study(f"  trace: ./trace\n  columns: {columns}\n  time_unit: ms\n")
    both = text.replace("slo: {ttft_ms: 500, tpot_ms: 50}", "slo: {ttft_ms: 500, classes: {b: {ttft_ms: 100}}}")
    assert problems_of(both, written(tmp_path, OWN)) == []
    assert "unknown class 'c'; have a, b" in problems_of(both.replace("{b:", "{c:"), tmp_path)[0]


def test_bad_rows_stop_a_study_or_are_left_out(tmp_path):
    written(tmp_path, BURST)
    assert len(problems_of(study("  trace: ./trace\n"), tmp_path)) == 10
    (cell, *_) = cells(study("  trace: ./trace\n  bad_rows: skip\n"), tmp_path)
    assert open_workload(cell.spec, cell.trace_file, 0).requests == 30


@pytest.mark.parametrize(
    ("workload", "problem"),
    [
        ("  trace: ./trace\n  format: burst\n", "8:3: workload.format: must be one of azure, burstgpt"),
        ("  trace: ./trace\n  time_unit: min\n", "8:3: workload.time_unit: must be"),
        ("  trace: ./trace\n  bad_rows: ignore\n", "8:3: workload.bad_rows: must be"),
        ("  trace: ./trace\n  order: random\n", "8:3: workload.order: must be"),
        ("  trace: ./trace\n  columns: {arival: t, prompt_tokens: p}\n", "8:13: workload.columns.arival: unknown"),
        ("  trace: ./trace\n  from_s: 5\n", "8:3: workload.from_s: is for ServeGen recordings"),
        ("  trace: azure_conv_2023\n  columns: {prompt_tokens: x}\n", "8:3: workload.columns: is for files"),
        ("  bad_rows: skip\n  sessions: {}\n", "7:3: workload.bad_rows: is for a trace; name one, or leave it out"),
        ("  trace: ./trace\n  groups: {}\n", "7:3: workload.trace: groups bring their own; leave one of the two out"),
        ("  clients: {}\n  arrivals: {}\n", "8:3: workload.arrivals: clients bring their own"),
    ],
)
def test_a_mistake_is_named_where_it_is_written(tmp_path, workload, problem):
    found = problems_of(study(workload), written(tmp_path, BURST.replace(",0,100,", ",1,101,")))
    assert found
    assert found[0].startswith(f"tiny.yaml:{problem}")


def test_a_trace_with_classes_takes_no_others(tmp_path):
    columns = "{arrival: when, prompt_tokens: asked, output_tokens: said, class: who}"
    text = study(f"  trace: ./trace\n  columns: {columns}\n  time_unit: ms\n  classes: {{x: {{share: 1}}}}\n")
    with pytest.raises(StudyError, match=r"workload.classes: the trace has classes of its own \(a, b\); leave it out"):
        cells(text, written(tmp_path, OWN))


def test_generated_clients_and_groups_are_workloads_of_a_study():
    lengths = "prompt_tokens: {kind: fixed, tokens: 5}, output_tokens: {median: 9, prompt_effect: 0.5, within: 0.3}"
    groups = f"{{size: 2, {lengths}}}"
    for workload in (
        "  clients: {count: 3}\n  rate: 5\n  requests: 20\n",
        f"  groups: {groups}\n  arrivals: {{kind: all_at_once}}\n  requests: 20\n",
    ):
        (cell, *_) = cells(study(workload))
        assert open_workload(cell.spec, None, 0).requests == 20
