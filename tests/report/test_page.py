"""The page as a document: whole, offline, safe, the same every time."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from simcore.report import write_html
from tests.report.made import PROVENANCE, cells, page, parsed, result, sections, with_summary

RATES = ({"workload.rate": 20.0}, {"workload.rate": 60.0})


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("swept")
    return result(folder / "out", cells(folder / "cells", points=RATES))


@pytest.fixture(scope="module")
def html(swept: Path) -> str:
    return write_html(swept).read_text(encoding="utf-8")


def test_every_link_and_reference_within_the_page_leads_to_one_place(html: str) -> None:
    tree = parsed(html)
    ids = [node.attributes["id"] for node in tree.all() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    links = [node.attributes["href"] for node in tree.all() if node.attributes.get("href", "").startswith("#")]
    labels = [node.attributes["aria-labelledby"] for node in tree.all() if "aria-labelledby" in node.attributes]
    clips = re.findall(r"url\(#([^)]+)\)", html)
    assert len(clips) > 10
    assert {link[1:] for link in links} | set(labels) | set(clips) <= set(ids)


def test_the_navigation_names_every_section_in_order(html: str) -> None:
    tree = parsed(html)
    assert [f"#{name}" for name in sections(tree)] == [link.attributes["href"] for link in tree.one("nav").all("a")]


def test_nothing_is_fetched_and_nothing_runs(html: str) -> None:
    tree = parsed(html)
    assert not tree.all("script") + tree.all("iframe") + tree.all("img") + tree.all("object")
    fetching = [node for node in tree.all() if node.tag not in ("a",) and {"src", "href"} & node.attributes.keys()]
    targets = {node.attributes.get("href", "") + node.attributes.get("src", "") for node in fetching}
    assert all(target.startswith(("#", "data:")) for target in targets), targets
    assert "@import" not in html
    assert "url(http" not in html
    (policy,) = tree.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy.attributes["content"].startswith("default-src 'none'")


def test_a_reader_of_the_screen_is_told_what_a_chart_shows(html: str) -> None:
    tree = parsed(html)
    charts = [svg for svg in tree.all("svg") if "aria-hidden" not in svg.attributes]
    assert len(charts) == 10
    assert all(svg.attributes["role"] == "img" and len(svg.attributes["aria-label"]) > 40 for svg in charts)
    assert tree.one("html").attributes["lang"] == "en"
    assert all("scope" in cell.attributes for cell in tree.all("th"))


def test_headings_go_down_one_level_at_a_time(html: str) -> None:
    levels = [int(node.tag[1]) for node in parsed(html).all() if re.fullmatch("h[1-6]", node.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_equal_results_give_equal_bytes(swept: Path, html: str, tmp_path: Path) -> None:
    again = result(tmp_path / "out", cells(tmp_path / "cells", points=RATES))
    assert write_html(again).read_bytes() == html.encode()


def test_only_the_provenance_tells_two_runs_apart(swept: Path, tmp_path: Path) -> None:
    later = PROVENANCE | {"finished": "2027-01-02T03:04:05Z"}
    made = cells(tmp_path / "cells")
    first = write_html(result(tmp_path / "a", made)).read_text().splitlines()
    second = write_html(result(tmp_path / "b", made, provenance=later)).read_text().splitlines()
    differing = [(a, b) for a, b in zip(first, second, strict=True) if a != b]
    assert [("2026" in a, "2027" in b) for a, b in differing] == [(True, True)]


EVIL = "<script>alert(1)</script> & \"quotes\" 'too' {{ 7 * 7 }}"


def test_names_and_questions_come_out_as_text(tmp_path: Path) -> None:
    made = cells(tmp_path / "cells", systems=(EVIL, "second"))
    failed = [{"system": EVIL, "point": {EVIL: EVIL}, "seed": 0, "traceback": EVIL}]
    claim = {
        **dict.fromkeys(("ci_low", "ci_high", "per", "holds")),
        **dict.fromkeys(("claim", "paper", "why"), EVIL),
        "source": f"javascript:{EVIL}",
        "here": 1.0,
        "metric": "duration",
        "quantity": "value",
        "relation": "value",
    }
    study = "study: toy\nmodel: {name: '<i>'}\nhardware: '<i>'\nquestion: '<i>'\nsystems: {'<i>': {}}\n"
    out = result(tmp_path / "out", made, question=EVIL, failed=failed, study=study, provenance={"odd": EVIL})
    with_summary(out, claims=[claim])
    tree = page(out)
    assert not tree.all("script") + tree.all("i")
    assert tree.one("h1").text == EVIL
    assert EVIL in tree.one("section", id="claims").text
    assert EVIL in tree.one("section", id="failed").one("pre").text
    assert [link for link in tree.all("a") if "javascript" in link.attributes["href"]] == []
    chart_text = [text.text for svg in tree.one("section", id="load").all("svg") for text in svg.all("text")]
    assert any(text.startswith("<script>alert(1)") for text in chart_text)


def test_a_page_stays_small(html: str) -> None:
    assert len(html.encode()) < 400_000
