"""`simcore report` as a user runs it."""

import json
import shutil

import pytest
import typer
from typer.testing import CliRunner

from simcore.commands.report import report
from tests.report.made import cells, result

app = typer.Typer()
app.command()(report)


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(autouse=True)
def quick_charts(monkeypatch):
    """How charts look is tested elsewhere; drawing them costs a second a page."""
    monkeypatch.setattr("simcore.report.charts.panel_svg", lambda panel, **size: "<svg></svg>")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return result(folder / "out", cells(folder / "cells", systems=("first",), seeds=(0,), requests=40))


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "out")


def test_the_page_is_written_again_and_its_path_printed(folder):
    done = run(folder)
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{folder / 'report.html'}\n", "")
    first = (folder / "report.html").read_bytes()
    (folder / "report.html").write_text("old")
    run(folder)
    assert (folder / "report.html").read_bytes() == first
    assert not (folder / "plots").exists()


def test_figures_are_drawn_again_when_asked(folder):
    done = run(folder, "--plots")
    names = [line.rpartition("/")[2] for line in done.stdout.splitlines()]
    assert names == ["report.html", "goodput.png", "latency.png", "queue_and_kv.png"]


def test_the_browser_is_opened_when_asked(folder, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert run(folder).exit_code == 0
    assert opened == []
    run(folder, "--open")
    assert opened == [(folder / "report.html").resolve().as_uri()]


def with_schema(schema):
    def change(folder):
        summary = json.loads((folder / "summary.json").read_text())
        (folder / "summary.json").write_text(json.dumps(summary | {"schema": schema}))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (shutil.rmtree, "{}: no such result folder"),
        (lambda it: (it / "summary.json").unlink(), "{}: no summary.json in it; name the result folder of a run that"),
        (lambda it: (it / "summary.json").write_text("{"), "{}/summary.json: must be JSON: "),
        (lambda it: (it / "summary.json").write_text("[]"), "got None: this is no result of a study"),
        (with_schema("simcore.summary/0"), "got 'simcore.summary/0': an older simcore wrote it; run the study again"),
        (with_schema("simcore.summary/99"), "got 'simcore.summary/99': a newer simcore wrote it; use that one"),
        (with_schema("vllm/1"), "got 'vllm/1': this is no result of a study"),
        (lambda it: (it / "requests.parquet").write_bytes(b"PAR1"), "{}/requests.parquet: must be a whole Parquet"),
    ],
)  # fmt: skip
def test_a_folder_that_is_no_result_is_refused_in_one_line(folder, change, said):
    change(folder)
    done = run(folder)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said.format(folder) in done.stderr
    assert done.stderr.startswith("simcore: ")
    assert done.stderr.count("\n") == 1


def test_a_page_that_cannot_be_written_is_said(folder):
    (folder / "report.html").mkdir()
    done = run(folder)
    assert (done.exit_code, done.stderr) == (2, f"simcore: {folder}/report.html: Is a directory\n")


def test_a_file_is_not_a_folder(folder):
    done = run(folder / "summary.json")
    assert done.exit_code == 2
    assert "is a file; name the result folder" in done.stderr
