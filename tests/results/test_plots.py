"""Plots: drawn for every kind of study, byte for byte the same; how they look was looked at."""

from dataclasses import replace
from pathlib import Path

import pytest

from simcore.results import CellResult, StudyFacts, assemble, draw_plots, read_summary
from simcore.results.plots import telling_point
from simcore.results.plots.load import draw_load
from tests.results.toy import SLO, Toy, toy_cell, toy_run

FACTS = StudyFacts("toy", "?", seeds=(0, 1), slo=SLO)
NAMES = ["goodput.png", "latency.png", "queue_and_kv.png"]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[CellResult]:
    folder = tmp_path_factory.mktemp("cells")
    return [
        toy_cell(
            folder / f"{system}-{rate}-{seed}",
            toy_run(rate=rate, requests=150, seed=seed, slow=slow),
            system=system,
            point={"workload.rate": rate},
            seed=seed,
        )
        for rate in (20.0, 60.0)
        for system, slow in (("first", 1.0), ("second", 0.7))
        for seed in (0, 1)
    ]


def draw(out: Path, cells: list[CellResult], facts: StudyFacts = FACTS) -> list[Path]:
    assemble(out, cells, study=facts, provenance={})
    return draw_plots(out)


def load_is_drawn(out: Path, cells: list[CellResult], facts: StudyFacts = FACTS) -> bool:
    """Draw the one picture of three that depends on what was swept."""
    assemble(out, cells, study=facts, provenance={})
    path = draw_load(read_summary(out), out / "goodput.png")
    return path is not None and path.read_bytes().startswith(b"\x89PNG")


def test_a_sweep_gives_three_pictures_equal_byte_for_byte(cells: list[CellResult], tmp_path: Path) -> None:
    first = draw(tmp_path / "a", cells)
    second = draw(tmp_path / "b", cells)
    assert [path.name for path in first] == NAMES
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_study_without_a_sweep_is_drawn_too(cells: list[CellResult], tmp_path: Path) -> None:
    fixed = [replace(cell, point={}) for cell in cells[:4]]
    assert [path.name for path in draw(tmp_path, fixed)] == NAMES


def test_other_sweep_keys_make_lines_of_their_own(cells: list[CellResult], tmp_path: Path) -> None:
    wide = [replace(cell, point={**cell.point, "cluster.instances": n}) for n in (1, 2) for cell in cells]
    assert load_is_drawn(tmp_path, wide)


def test_a_sweep_of_something_else_is_drawn_as_bars(cells: list[CellResult], tmp_path: Path) -> None:
    other = [replace(cell, point={"cluster.instances": int(cell.point["workload.rate"])}) for cell in cells]
    assert load_is_drawn(tmp_path, other)


def test_limits_of_classes_are_drawn_in_words(cells: list[CellResult], tmp_path: Path) -> None:
    classes = {"classes": {"interactive": {**SLO, "ttft_ms": 50.0}}}
    assert load_is_drawn(tmp_path, cells, replace(FACTS, slo={**SLO, **classes}))


def test_what_has_no_data_is_left_out(cells: list[CellResult], tmp_path: Path) -> None:
    without_slo = replace(FACTS, slo={})
    bare = toy_run(rate=20.0, requests=30)
    bare.samples = []
    cell = toy_cell(tmp_path / "bare", bare, slo={})
    assert [path.name for path in draw(tmp_path / "out", [cell], without_slo)] == ["latency.png"]
    nothing = toy_cell(tmp_path / "nothing", Toy(), slo={})
    assert draw(tmp_path / "none", [nothing], without_slo) == []


def test_the_telling_point_is_where_the_systems_differ_most(cells: list[CellResult], tmp_path: Path) -> None:
    assemble(tmp_path, cells, study=FACTS, provenance={})
    assert telling_point(read_summary(tmp_path)) == {"workload.rate": 60.0}
