"""Every shape of study makes a sensible page: the sections that apply, and no others."""

from pathlib import Path

import pytest

from simcore.results import CellWriter, finish_cell, read_summary
from simcore.results.cell import CellResult
from tests.report.made import STUDY, Node, cells, page, result, rows, sections, with_summary
from tests.results.toy import SLO, Toy, toy_cell, toy_run

pytestmark = pytest.mark.usefixtures("quick_charts")

RATES = tuple({"workload.rate": rate} for rate in (20.0, 60.0))
ALWAYS = ["verdict", "systems", "losses", "setup", "error", "provenance", "reproduce"]


def text_of(tree: Node, section: str) -> str:
    return " ".join(tree.one("section", id=section).text.split())


def test_a_sweep_of_the_rate_has_charts_against_load(tmp_path: Path) -> None:
    tree = page(result(tmp_path / "out", cells(tmp_path / "c", points=RATES)))
    assert sections(tree) == ["verdict", "systems", "load", "latency", "time", *ALWAYS[2:]]
    titles = [caption.text for caption in tree.one("section", id="load").all("figcaption")]
    assert titles == [
        "Share of requests within the SLO, %",
        "Goodput: requests within the SLO per second",
        "TTFT, 99th percentile, ms",
        "TPOT, 99th percentile, ms",
    ]
    assert "at rate 60 req/s" in tree.one("h2", id="latency-title").text


def test_a_sweep_of_something_else_has_bars_and_an_answer_for_each_point(tmp_path: Path) -> None:
    points = ({"cluster.instances": 1}, {"cluster.instances": 2})
    tree = page(result(tmp_path / "out", cells(tmp_path / "c", points=points)))
    assert len(tree.one("section", id="load").all("svg", role="img")) == 2
    answers = [item.text for item in tree.one(class_="answers").all("li")]
    assert [answer.partition(":")[0] for answer in answers] == ["Instances 1", "Instances 2"]


def test_one_system_with_one_seed_has_no_intervals_and_no_legend(tmp_path: Path) -> None:
    tree = page(result(tmp_path / "out", cells(tmp_path / "c", systems=("first",), seeds=(0,))))
    assert sections(tree) == ["verdict", "systems", "latency", "time", *ALWAYS[2:]]
    assert tree.one(class_="badge").text == "one seed: no interval"
    assert not tree.all(class_="legend")
    assert "±" not in tree.one("section", id="systems").one("tbody").text
    assert "all seeds together" not in text_of(tree, "latency")


def test_without_an_slo_there_is_no_goodput(tmp_path: Path) -> None:
    made = cells(tmp_path / "c", slo={})
    tree = page(result(tmp_path / "out", made, slo={}, study=STUDY.replace("ttft_ms: 200.0, tpot_ms: 25.0, ", "")))
    assert "load" not in sections(tree)
    assert "none: no goodput and no attainment" in text_of(tree, "setup")
    assert "Goodput" not in text_of(tree, "systems")


def test_a_sweep_of_the_rate_without_an_slo_has_latency_against_load(tmp_path: Path) -> None:
    tree = page(result(tmp_path / "out", cells(tmp_path / "c", points=RATES, slo={}), slo={}))
    assert len(tree.one("section", id="load").all("svg", role="img")) == 2


def test_a_study_without_any_request_has_a_page(tmp_path: Path) -> None:
    nothing = toy_cell(tmp_path / "nothing", Toy(), slo={})
    tree = page(result(tmp_path / "out", [nothing], slo={}))
    assert sections(tree) == ALWAYS
    assert "nothing to compare" in text_of(tree, "verdict")


def test_a_batch_without_time_series_has_a_page(tmp_path: Path) -> None:
    toy = toy_run(rate=1e6, requests=60)
    toy.samples = []
    study = STUDY.replace("{kind: poisson}, rate: 20.0", "{kind: all_at_once}")
    tree = page(result(tmp_path / "out", [toy_cell(tmp_path / "c", toy, slo={})], slo={}, study=study))
    assert "time" not in sections(tree)
    assert "All requests arrive at once" in text_of(tree, "verdict")


def test_classes_have_a_table_of_their_own(tmp_path: Path) -> None:
    toy = toy_run(rate=20.0, requests=60)
    with CellWriter(tmp_path / "c", classes=("chat", "batch")) as sink:
        sink.requests([(row[0], row[0] % 2, *row[2:]) for row in toy.requests])
        sink.steps(toy.steps)
        sink.gaps(toy.gaps)
        sink.samples(toy.samples)
    own = {"chat": SLO, "batch": {**SLO, "ttft_ms": 9000.0}}
    finish_cell(tmp_path / "c", outcome=toy.outcome(), slo=SLO, class_slo=own, classes=("chat", "batch"), meta={})
    slo = {**SLO, "classes": own}
    out = result(tmp_path / "out", [CellResult("first", {}, 0, tmp_path / "c")], slo=slo)
    tree = page(out)
    table = tree.one("section", id="systems").one("table", **{"aria-label": "Service of each request class"})
    metrics = read_summary(out)["runs"][0]["classes"]
    assert [row[:2] for row in rows(table)] == [["first", "chat"], ["first", "batch"]]
    for row, name in zip(rows(table), ("chat", "batch"), strict=True):
        assert float(row[2]) == pytest.approx(100 * metrics[name]["slo_attainment"], abs=0.06)
    assert "batch: TTFT ≤ 9000 ms" in text_of(tree, "setup")


def test_many_sweep_points_are_folded_behind_the_telling_one(tmp_path: Path) -> None:
    points = [{"cluster.instances": index} for index in range(25)]
    tree = page(result(tmp_path / "out", cells(tmp_path / "c", points=points, seeds=(0,), requests=40)))
    systems = tree.one("section", id="systems")
    assert len(systems.one("table").one("tbody").all("tr")) == 2
    assert len(systems.one("details").one("tbody").all("tr")) == 50
    assert "and 13 more sweep points" in text_of(tree, "verdict")


def test_failed_runs_are_told_each_error_once(tmp_path: Path) -> None:
    trace = "Traceback:\n  in odd.py\nRuntimeError: request 7"
    failed = [{"system": "third", "point": {}, "seed": seed, "traceback": trace} for seed in (0, 1)]
    tree = page(result(tmp_path / "out", cells(tmp_path / "c"), failed=failed))
    (told,) = tree.one("section", id="failed").all("details")
    assert (
        " ".join(told.one("summary").text.split()) == "RuntimeError: request 7 in 2 runs: third, seed 0; third, seed 1"
    )
    assert "2 of 6 runs failed and are missing from all numbers. Nothing is known of third." in text_of(tree, "verdict")


def test_losses_are_counted_by_cause(tmp_path: Path) -> None:
    # Of 120 requests the toy rejects every 40th.
    tree = page(result(tmp_path / "out", cells(tmp_path / "c", systems=("first",))))
    assert rows(tree.one("section", id="losses").one("table")) == [["first", "240", "6 (2.5%)"]]


def test_a_study_that_lost_nothing_says_so(tmp_path: Path) -> None:
    tree = page(result(tmp_path / "out", cells(tmp_path / "c", systems=("first",), requests=30)))
    assert "None: all 60 requests that count completed." in text_of(tree, "losses")


def test_rollout_metrics_have_columns_with_their_own_names(tmp_path: Path) -> None:
    out = result(tmp_path / "out", cells(tmp_path / "c", slo={}), slo={})
    runs = read_summary(out)["runs"]
    for run in runs:
        run["metrics"]["perf/rollout_time"] = 12.5 if run["system"] == "first" else 10.0
    tree = page(with_summary(out, runs=runs))
    headings = tree.one("table", **{"aria-label": "What mechanisms did, and how programs and rollouts fared"}).one(
        "thead"
    )
    assert "rollout time" in headings.text
    assert "second finishes rollouts first: 10.0 ± 0.0 s" in text_of(tree, "verdict")


def test_claims_stand_beside_what_was_found(tmp_path: Path) -> None:
    base = {"metric": "mean_ttft_ms", "per": None, "quantity": "ratio", "relation": "ratio", "why": "because"}
    claims = [
        {**base, "claim": "A", "source": "https://example.org/paper", "paper": 1.4, "here": 1.02, "ci_low": 0.99}
        | {"ci_high": 1.05, "holds": False},
        {**base, "claim": "B", "source": "table 2", "paper": [2.0, 3.0], "here": 2.5, "ci_low": None, "ci_high": None}
        | {"holds": True},
        {
            **base,
            "claim": "C",
            "source": None,
            "paper": None,
            "here": None,
            "ci_low": None,
            "ci_high": None,
            "holds": None,
        },
    ]
    tree = page(with_summary(result(tmp_path / "out", cells(tmp_path / "c")), claims=claims))
    table = tree.one("section", id="claims").one("table")
    assert [row[1:] for row in rows(table)] == [
        ["1.40x", "1.02x0.99x to 1.05x", "fails", "because"],
        ["2.00x to 3.00x", "2.50x", "holds", "because"],
        ["\N{EN DASH}", "\N{EN DASH}", "open", "because"],
    ]
    assert [link.attributes["href"] for link in table.all("a")] == ["https://example.org/paper"]
    assert "Of 3 claims, 1 holds, 1 fails, 1 is open." in text_of(tree, "verdict")


def test_what_was_run_is_told_in_words(tmp_path: Path) -> None:
    study = STUDY + "sweep: {workload.rate: [20.0, 60.0]}\nwarm_up: {seconds: 1.0, requests: 0}\n"
    tree = page(result(tmp_path / "out", cells(tmp_path / "c", points=RATES), study=study))
    told = {
        pair.one("dt").text: pair.one("dd").text
        for pair in tree.one("section", id="setup").all("div")
        if pair.all("dt")
    }
    assert told["Traffic"] == "arrivals poisson, rate 20 | 60"
    assert told["Mechanisms"] == "prefix cache cold"
    assert told["Faults"] == "instance 1, at 20 s, for 30 s"
    assert told["Warm-up"] == "requests of the first 1 s are in no number"
    assert rows(tree.one("section", id="setup").one("table"))[1] == [
        "second",
        "least_loaded",
        "vllm_v1",
        "mechanism (swap async)",
    ]
    assert tree.one("section", id="setup").one("pre").text == study


def test_a_folder_of_summary_and_rows_alone_has_a_page(tmp_path: Path) -> None:
    out = result(tmp_path / "out", cells(tmp_path / "c"), provenance={})
    (out / "study.resolved.yaml").unlink()
    tree = page(out)
    assert "has not been measured" in text_of(tree, "verdict")
    assert [pair.one("dt").text for pair in tree.one("section", id="setup").all("div") if pair.all("dt")] == ["SLO"]


def test_a_forwarded_summary_alone_has_a_page_without_charts_of_requests(tmp_path: Path) -> None:
    out = result(tmp_path / "out", cells(tmp_path / "c"))
    for rows_file in out.glob("*.parquet"):
        rows_file.unlink()
    assert sections(page(out)) == ["verdict", "systems", "load", *ALWAYS[2:]]


def test_provenance_and_commands_are_complete(tmp_path: Path) -> None:
    tree = page(result(tmp_path / "out", cells(tmp_path / "c")))
    said = text_of(tree, "provenance")
    for word in ("0.1.0", "c0de", "2026-01-02T03:04:05Z", "3.11.7", "numpy 2.4.6", "sha256 5ha", "Seeds0, 1"):
        assert word in said, word
    commands = [block.text for block in tree.one("section", id="reproduce").all("code")]
    assert commands == [
        "simcore run toy.yaml --set workload.rate=20",
        "simcore run study.resolved.yaml",
        "simcore report .",
    ]


def test_measured_durations_have_no_error_of_a_cost_model(tmp_path: Path) -> None:
    out = result(tmp_path / "out", cells(tmp_path / "c", systems=("first",)))
    tree = page(with_summary(out, backend="real", clock="wall"))
    assert "error" not in sections(tree)
    assert not [link for link in tree.all("a") if link.attributes["href"] == "#error"]
    assert "the real engine, clock: wall" in text_of(tree, "setup")


def test_the_error_of_the_cost_model_names_the_operators_that_ran(tmp_path: Path) -> None:
    tree = page(result(tmp_path / "out", cells(tmp_path / "c")))
    error = tree.one("section", id="error")
    assert rows(error.one("table")) == [["matmul bf16", "8.8%", "33.1%", "35,742"]]
    fp8 = page(result(tmp_path / "fp8", cells(tmp_path / "d"), study=STUDY.replace("bf16", "fp8")))
    assert len(rows(fp8.one("section", id="error").one("table"))) == 2
