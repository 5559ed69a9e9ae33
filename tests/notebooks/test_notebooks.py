"""The notebooks: they run, show what is stored in them, and hold no logic of their own."""

import re
from pathlib import Path

import pytest

from simcore.study.registry import find_policy
from tests.notebooks.execution import MISSING, NOTEBOOKS, executed, stored
from tests.notebooks.reading import logic, texts, words, writes_a_file

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}; pip install -e '.[test]'")

ABSOLUTE_PATH = re.compile(r"(?<![\w.<…/:])/\w[\w.-]*/\w")
REFRESH = "stored outputs are stale: python -m tests.notebooks.refresh"

notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_two_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["first_study", "sweep_ttft"]


@notebooks
@pytest.mark.timeout(900)
def test_a_notebook_runs_and_shows_what_is_stored(path: Path, tmp_path: Path):
    old, new = stored(path), executed(path, tmp_path)
    for before, after in zip(old.cells, new.cells, strict=True):
        then, now = ([words(text) for text in texts(cell)] for cell in (before, after))
        assert [text for text, _ in now] == [text for text, _ in then], f"{before.id}: {REFRESH}"
        for (_, numbers), (_, numbers_then) in zip(now, then, strict=True):
            assert numbers == pytest.approx(numbers_then, rel=1e-6), f"{before.id}: {REFRESH}"


@notebooks
def test_a_notebook_holds_no_logic_beyond_the_policy_it_writes(path: Path):
    found = {
        cell.id: logic(cell) for cell in stored(path).cells if cell.cell_type == "code" and not writes_a_file(cell)
    }
    assert len(found) >= 10
    assert {name: kinds for name, kinds in found.items() if kinds} == {}


@notebooks
def test_what_a_notebook_writes_is_a_policy(path: Path, tmp_path: Path):
    for cell in filter(writes_a_file, stored(path).cells):
        magic, text = cell.source.split("\n", 1)
        name = magic.split()[1]
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert find_policy(name, "router", [tmp_path]).__doc__


@notebooks
def test_a_stored_notebook_is_complete_and_says_nothing_of_the_machine(path: Path):
    notebook = stored(path)
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in codes] == list(range(1, len(codes) + 1))
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert [cell.id for cell in notebook.cells if set(cell.metadata) - {"tags"}] == []
    shown = [text for cell in codes for text in texts(cell)]
    assert len(shown) >= 10
    assert [text for text in shown if ABSOLUTE_PATH.search(text)] == []


@notebooks
def test_a_stored_notebook_has_its_figures(path: Path):
    outputs = [output for cell in stored(path).cells for output in cell.get("outputs", ())]
    figures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(figures) >= 2
    assert max(map(len, figures)) < 80_000
