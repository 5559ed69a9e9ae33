"""The numbers of the page are those of summary.json."""

from pathlib import Path

import pytest

from simcore.results import read_summary
from simcore.results.plots.resolved import warm_up_of
from tests.report.made import cells, page, result, rows

pytestmark = pytest.mark.usefixtures("quick_charts")

HEADINGS = {
    "SLO met%": ("slo_attainment", 100.0),
    "Goodputreq/s": ("request_goodput", 1.0),
    "TTFT meanms": ("mean_ttft_ms", 1.0),
    "TTFT p99ms": ("p99_ttft_ms", 1.0),
    "TPOT meanms": ("mean_tpot_ms", 1.0),
    "TPOT p99ms": ("p99_tpot_ms", 1.0),
    "E2EL meanms": ("mean_e2el_ms", 1.0),
    "Outputtok/s": ("output_throughput", 1.0),
}


def value(text: str) -> float:
    """Return the mean of a cell: "1,234 ± 56+7%"."""
    return float(text.partition(" ")[0].replace(",", ""))


def test_a_cell_of_one_seed_is_the_metric_to_three_digits(tmp_path: Path) -> None:
    rates = ({"workload.rate": 20.0}, {"workload.rate": 60.0})
    out = result(tmp_path / "out", cells(tmp_path / "c", systems=("first",), points=rates, seeds=(0,)))
    table = page(out).one("section", id="systems").one("table")
    headings = [heading.text for heading in table.one("thead").all("th")]
    assert headings == ["rate", "system", *HEADINGS, "state"]
    for row, run in zip(rows(table), read_summary(out)["runs"], strict=True):
        assert float(row[0]) == run["point"]["workload.rate"]
        assert row[-1] == run["state"]
        for text, (metric, factor) in zip(row[2:-1], HEADINGS.values(), strict=True):
            assert value(text) == pytest.approx(factor * run["metrics"][metric], rel=0.006), metric


def test_means_half_widths_and_differences_are_those_of_the_seeds(tmp_path: Path) -> None:
    out = result(tmp_path / "out", cells(tmp_path / "c"))
    summary = read_summary(out)
    first, second = (
        [run["metrics"]["mean_ttft_ms"] for run in summary["runs"] if run["system"] == name]
        for name in ("first", "second")
    )
    # Two seeds: half of the t-interval is 12.706 times half of their distance.
    half = 12.7062 * abs(second[0] - second[1]) / 2
    mean = sum(second) / 2
    relative = 100 * (mean / (sum(first) / 2) - 1)
    cell = rows(page(out).one("section", id="systems").one("table"))[1][3]
    means, _, rest = cell.partition(" ± ")
    assert float(means) == pytest.approx(mean, rel=0.005)
    assert float(rest.partition("\N{MINUS SIGN}")[0].strip("~ ")) == pytest.approx(half, abs=0.05)
    assert rest.endswith(f"\N{MINUS SIGN}{-relative:.1f}%")


def test_percentiles_beside_the_distributions_are_those_of_the_summary(tmp_path: Path) -> None:
    out = result(tmp_path / "out", cells(tmp_path / "c", systems=("first",), seeds=(0,)))
    metrics = read_summary(out)["runs"][0]["metrics"]
    (row,) = rows(page(out).one("section", id="latency").one("table"))
    keys = [f"{p}_{name}_ms" for name in ("ttft", "tpot", "e2el") for p in ("median", "p90", "p99")]
    assert [value(text) for text in row[1:]] == pytest.approx([metrics[key] for key in keys], rel=0.006)


def test_distributions_leave_out_the_warm_up_as_metrics_do(tmp_path: Path) -> None:
    made = cells(tmp_path / "c", systems=("first",), seeds=(0,))
    whole = page(result(tmp_path / "a", made))
    late = page(result(tmp_path / "b", made, study="warm_up: {seconds: 0.0, requests: 100}\n"))
    says = [tree.one("section", id="latency").one("svg", role="img").attributes["aria-label"] for tree in (whole, late)]
    assert says[0] != says[1]
    assert warm_up_of({"warm_up": {"requests": 100}}, {}).requests == 100
