"""Figures for notebooks: what is drawn is what the frames say, on Axes that are the caller's."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
import pytest

from simcore.results import CellResult, StudyFacts, assemble
from simcore.results.figures import Figures
from simcore.results.frames import read_summary, requests_frame
from simcore.results.intervals import difference_frame, mean_frame
from tests.results.toy import SLO, toy_cell, toy_run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RATES = (20.0, 60.0)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    cells = [
        toy_cell(
            folder / f"{system}-{rate}-{seed}",
            toy_run(rate=rate, requests=80, seed=seed, slow=slow),
            system=system,
            point={"workload.rate": rate},
            seed=seed,
        )
        for rate in RATES
        for system, slow in (("first", 1.0), ("second", 0.7))
        for seed in (0, 1)
    ]
    assemble(folder / "out", cells, study=StudyFacts("toy", "?", seeds=(0, 1), slo=SLO), provenance={})
    return folder / "out"


@pytest.fixture(autouse=True)
def no_display() -> Iterator[None]:
    from matplotlib import pyplot

    before = matplotlib.get_backend()
    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")
    pyplot.switch_backend(before)


def drawn(axes: "Axes", index: int = 0) -> tuple[list[Any], list[Any]]:
    """Return x and y of a line."""
    line: Any = axes.lines[index]
    return list(line.get_xdata()), list(line.get_ydata())


def curve(axes: "Axes", index: int = 0) -> tuple[Any, Any]:
    """Return the line of a curve, and its bars."""
    container: Any = axes.containers[index]
    line, _, (bars,) = container.lines
    return line, bars


def labels(axes: "Axes") -> list[str]:
    legend: Any = axes.get_legend()
    return [text.get_text() for text in legend.get_texts()]


def test_a_metric_is_drawn_against_the_rate_with_its_intervals(out):
    axes = Figures(out).load("mean_ttft_ms", slo=500)
    means = mean_frame(read_summary(out), ["mean_ttft_ms"])
    for index, system in enumerate(("first", "second")):
        line, bars = curve(axes, index)
        ours = means[means["system"] == system]
        assert list(line.get_xdata()) == list(RATES)
        assert list(line.get_ydata()) == pytest.approx(list(ours["mean"]))
        ends = [segment[:, 1] for segment in bars.get_segments()]
        assert np.array(ends) == pytest.approx(ours[["ci_low", "ci_high"]].to_numpy())
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("arrival rate, requests per second", "mean TTFT, ms")
    assert sorted(labels(axes)) == ["SLO 500", "first", "second"]


def test_shares_are_drawn_in_percent(out):
    axes = Figures(out).load("slo_attainment")
    means = mean_frame(read_summary(out), ["slo_attainment"])
    shares = means.loc[means["system"] == "first", "mean"]
    assert list(curve(axes)[0].get_ydata()) == pytest.approx(list(100 * shares))
    assert axes.get_ylabel() == "SLO attainment, %"


def test_a_system_keeps_its_colour_in_every_figure(out):
    figures = Figures(out)
    load, differences, cdf = figures.load(), figures.differences("mean_ttft_ms"), figures.cdf()
    second = curve(load, 1)[0].get_color()
    assert curve(differences)[0].get_color() == second
    assert cdf.lines[1].get_color() == second
    assert curve(load)[0].get_color() != second


def test_differences_are_those_of_the_frame(out):
    axes = Figures(out).differences("mean_ttft_ms", baseline="second")
    found = difference_frame(read_summary(out), ["mean_ttft_ms"], "second")
    assert len(axes.containers) == 1
    assert list(curve(axes)[0].get_ydata()) == pytest.approx(list(found["difference"]))
    assert axes.get_ylabel() == "mean TTFT, ms: difference to second"


def test_the_distribution_is_that_of_the_finished_requests_at_one_point(out):
    axes = Figures(out).cdf("ttft", rate=20)
    frame = requests_frame(out, "first", rate=20)
    ms = np.sort(frame.loc[frame["state"] == "finished", "ttft_s"].to_numpy() * 1000)
    x, y = drawn(axes)
    assert x == pytest.approx(list(ms))
    assert (y[0], y[-1]) == pytest.approx((100 / len(ms), 100))
    assert len(drawn(axes, 1)[0]) > 0
    assert drawn(axes, 2)[0][0] == SLO["ttft_ms"]
    assert axes.get_title() == "at rate 20 req/s"


def test_a_timeline_is_the_sum_over_the_instances_in_one_seed(out):
    axes = Figures(out).timeline("waiting", rate=60, seed=1)
    assert axes.get_title() == "at rate 60 req/s, seed 1"
    assert [line.get_label() for line in axes.lines] == ["first", "second"]
    assert max(drawn(axes)[1]) > 0
    assert max(drawn(Figures(out).timeline("kv"))[1]) <= 100


def test_figures_go_where_they_are_told(out):
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert Figures(out).load(ax=ax) is ax
    assert Figures(out).cdf(ax=ax) is ax
    assert Figures(out).timeline(ax=ax) is ax


def test_further_sweep_keys_make_lines_of_their_own(out, tmp_path):
    cells = [
        CellResult(system, {"workload.rate": rate, "cluster.instances": n}, 0, out.parent / f"{system}-{rate}-0")
        for rate in RATES
        for n in (1, 2)
        for system in ("first", "second")
    ]
    assemble(tmp_path, cells, study=StudyFacts("toy", "?", slo=SLO), provenance={})
    assert labels(Figures(tmp_path).load("mean_ttft_ms")) == [
        "first, instances 1", "second, instances 1", "first, instances 2", "second, instances 2"
    ]  # fmt: skip
    along = Figures(tmp_path).load("mean_ttft_ms", along="instances")
    assert labels(along)[0] == "first, rate 20"
    assert along.get_xlabel() == "cluster.instances"


def test_words_on_the_axis_are_kept_in_the_order_of_the_sweep(out, tmp_path):
    cells = [
        CellResult("first", {"mechanism.swap": mode}, 0, out.parent / f"first-{rate}-0")
        for mode, rate in (("sync", 60.0), ("async", 20.0))
    ]
    assemble(tmp_path, cells, study=StudyFacts("toy", "?", slo=SLO), provenance={})
    axes = Figures(tmp_path).load("mean_ttft_ms")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["sync", "async"]


def test_what_cannot_be_drawn_is_said(out, tmp_path):
    figures = Figures(out)
    with pytest.raises(ValueError, match=r"did you mean 'p99_ttft_ms'"):
        figures.load("p99_tft_ms")
    with pytest.raises(ValueError, match=r"sweep key 'rat' must name one of workload.rate"):
        figures.load(along="rat")
    with pytest.raises(ValueError, match=r"workload.rate must be one of 20.0, 60.0, got 7"):
        figures.cdf(rate=7)
    with pytest.raises(ValueError, match=r"latency must be one of ttft, tpot, e2el, queue, got 'tft'"):
        figures.cdf("tft")
    with pytest.raises(ValueError, match=r"series must be one of waiting, running, kv, got 'queue'"):
        figures.timeline("queue")
    with pytest.raises(ValueError, match=r"seed must be one of 0, 1, got 7"):
        figures.timeline(seed=7)
    assemble(tmp_path, [CellResult("first", {}, 0, out.parent / "first-20.0-0")], study=StudyFacts("toy", "?"),
             provenance={})  # fmt: skip
    with pytest.raises(ValueError, match=r"nothing was swept"):
        Figures(tmp_path).load("mean_ttft_ms")
