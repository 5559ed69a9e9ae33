"""The page on capacity names every option of the command and every key of the answer."""

import re

import typer

from simcore.commands.capacity import capacity as command
from tests.capacity.flat import ROOT, capacity, only

PAGE = (ROOT / "docs" / "capacity.md").read_text(encoding="utf-8")


def test_every_option_of_the_command_stands_on_its_page():
    app = typer.Typer(add_completion=False)
    app.command()(command)
    options = [name for option in typer.main.get_command(app).params for name in option.opts if name.startswith("--")]
    assert len(options) > 10
    said = set(re.findall(r"--[a-z-]+", PAGE))
    assert [name for name in options if name not in said and f"--no-{name[2:]}" not in said] == []


def test_every_key_of_the_answer_stands_on_its_page(tmp_path):
    found = capacity(tmp_path, low=5, high=20, seeds=1, tolerance=0.1)
    head = PAGE.partition("`capacity.json` is `{")[2].partition("}`")[0]
    assert set(re.findall(r"\w+", head)) == set(found.data)
    table = PAGE.partition("Each of `results` has")[2]
    assert [key for key in only(found) if f"`{key}`" not in table] == []
    assert [key for key in found.data["runs"][0] if f"`{key}`" not in table] == []
