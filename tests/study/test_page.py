"""The examples on the page of studies: each is read on top of a small study."""

import re
from pathlib import Path

import pytest

from simcore.study.api import Study
from simcore.study.load import parse
from tests.study.tiny import TINY

PAGE = (Path(__file__).parents[2] / "docs" / "studies.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## What the cluster does")[2].partition("\n## ")[0]
EXAMPLES = re.findall(r"^```\n(.*?)^```", SECTION, re.DOTALL | re.MULTILINE)


def test_the_page_has_its_examples():
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_on_the_page_is_read(example):
    study = Study(parse(TINY, "tiny.yaml", Path()))
    for key, value in parse(example, "example", Path()).data.items():
        if key in ("cluster", "workload"):
            for below, inside in value.items():
                study = study.set(f"{key}.{below}", inside)
        else:
            study = study.set(key, value)
    if "roles" in example:
        study = study.set("cluster.instances", 8)
    assert study.plan()
