"""The page on notebooks: every line of its tables runs, in order, and no public name is left out."""

import inspect
import re
import shutil

import pytest

from simcore.results.figures import Figures
from simcore.study.api import Study
from simcore.study.results import Results
from tests.notebooks.execution import ROOT

PAGE = (ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")
LINES = re.findall(r"^\| `(.+?)` \|", PAGE, re.MULTILINE)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder that looks like the checkout to a study."""
    from matplotlib import pyplot

    shutil.copytree(ROOT / "studies", tmp_path / "studies", ignore=shutil.ignore_patterns("runs", "*.ipynb"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SIMCORE_RUNS", raising=False)
    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")


@pytest.mark.usefixtures("checkout")
def test_the_lines_of_the_tables_run_in_order():
    assert len(LINES) >= 25
    names = {"Study": Study, "Results": Results}
    for line in LINES:
        exec(compile(line, line, "exec"), names)
    assert len(names["results"].summary) == 2 * 2 * 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [Study, Results, Figures])
def test_every_public_name_stands_on_the_page(kind):
    public = {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}
    public |= set(getattr(kind, "__dataclass_fields__", ())) - {"out"}
    assert {name for name in public - {"out"} if not re.search(rf"\.{name}\b", PAGE)} == set()
