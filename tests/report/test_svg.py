"""Charts as SVG: small, alike for equal data, and fit to stand together in one page."""

import re
from functools import partial
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from simcore.results.plots import telling_point
from simcore.results.plots.panel import Panel
from simcore.results.plots.svg import panel_svg

SVG = "{http://www.w3.org/2000/svg}"


def line(name: str, label: str = "a < b & c", top: float = 2.0) -> Panel:
    def draw(axes: Any, top: float) -> None:
        axes.plot([0, 1], [0, top])
        axes.fill_between([0, 1], [0, 0], [0, top], alpha=0.2)
        axes.set_xlabel(label)

    return Panel(name, "A line", 'It goes up, "surely".', partial(draw, top=top))


def test_a_chart_is_one_labelled_element_of_its_size() -> None:
    root = fromstring(panel_svg(line("one"), width=300, height=200))
    assert root.tag == f"{SVG}svg"
    assert root.attrib == {"viewBox": "0 0 300 200", "role": "img", "aria-label": 'It goes up, "surely".'}
    assert not [element for element in root.iter() if element.tag in (f"{SVG}metadata", f"{SVG}style")]


def test_words_stay_words() -> None:
    texts = [element.text for element in fromstring(panel_svg(line("one"))).iter(f"{SVG}text")]
    assert "a < b & c" in texts


def test_equal_charts_are_equal_bytes_and_others_are_not() -> None:
    assert panel_svg(line("one")) == panel_svg(line("one"))
    assert panel_svg(line("one")) != panel_svg(line("one", top=3.0))


def test_charts_of_one_page_share_no_ids_and_refer_to_their_own() -> None:
    ids = {}
    for name in ("one", "two"):
        text = panel_svg(line(name))
        ids[name] = set(re.findall(r' id="([^"]+)"', text))
        assert set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text)) == ids[name]
    assert ids["one"]
    assert not ids["one"] & ids["two"]


def test_coordinates_are_as_fine_as_an_eye() -> None:
    numbers = re.findall(r'\bd="([^"]+)"', panel_svg(line("one")))
    assert not re.search(r"\.\d{3}", " ".join(numbers))


def run(system: str, rate: float, attained: float, state: str = "STABLE") -> dict[str, Any]:
    point = {"workload.rate": rate}
    return {"system": system, "point": point, "seed": 0, "state": state, "metrics": {"slo_attainment": attained}}


@pytest.mark.parametrize(
    ("runs", "rate"),
    [
        ([run("a", 1, 1.0), run("b", 1, 0.9), run("a", 2, 0.5), run("b", 2, 0.1), run("a", 3, 0.1), run("b", 3, 0)], 2),
        ([run("a", 1, 1.0), run("a", 2, 0.8), run("a", 3, 0.1, "OVERLOADED")], 2),
        ([run("a", 1, 1.0), run("b", 1, 0.9), run("a", 2, 0.5, "OVERLOADED"), run("b", 2, 0.1, "OVERLOADED")], 1),
        ([run("a", 1, 1.0), run("b", 1, 0.9), run("a", 2, 0.5), run("b", 2, 0.1, "OVERLOADED")], 2),
        ([run("a", 1, 0.1, "BACKLOGGED"), run("a", 2, 0.0, "OVERLOADED")], 1),
    ],
)  # fmt: skip
def test_what_is_shown_is_where_systems_differ_most_or_one_still_keeps_up(runs: list[Any], rate: float) -> None:
    assert telling_point({"runs": runs, "slo": {"ttft_ms": 1}}) == {"workload.rate": rate}
