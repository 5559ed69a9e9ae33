"""SVG: a panel as a piece of a page: scales with it, takes over its font, and no more bytes than needed."""

import re
from io import StringIO
from typing import TYPE_CHECKING

from simcore.results.plots.panel import Panel
from simcore.results.plots.style import RC

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

NAMESPACE = "http://www.w3.org/2000/svg"
_LINK = "{http://www.w3.org/1999/xlink}href"
_NUMBERS = ("d", "x", "y", "width", "height", "transform", "points")
"""Attributes of coordinates: a hundredth of a pixel is fine enough."""


def panel_svg(panel: Panel, *, width: int = 560, height: int = 340) -> str:
    """Return an `<svg>` element of `width` x `height` units, pixels at its own size, labelled by `panel.says`.

    Equal panels give equal text. Ids within begin with the panel's name, so several panels may stand in one page.
    """
    from xml.etree.ElementTree import fromstring, register_namespace, tostring

    register_namespace("", NAMESPACE)
    root = fromstring(_drawn(panel, width, height))
    # Metadata, and a style sheet that would hold for the whole page.
    for child in [child for child in root if _tag(child) == "metadata" or any(_tag(each) == "style" for each in child)]:
        root.remove(child)
    for name in list(root.attrib):
        if name != "viewBox":
            del root.attrib[name]
    root.attrib |= {"role": "img", "aria-label": panel.says}
    used = _references(root)
    for element in root.iter():
        _slim(element, panel.name, used)
    return tostring(root, encoding="unicode").replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")


def _drawn(panel: Panel, width: int, height: int) -> str:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # Text as text: it takes over the font of the page, can be searched and read aloud.
    with rc_context({**RC, "svg.fonttype": "none", "svg.hashsalt": "simcore", "font.size": 12}):
        drawn = Figure(figsize=(width / 72, height / 72), dpi=72, layout="constrained")
        FigureCanvasSVG(drawn)
        drawn.get_layout_engine().set(w_pad=0.05, h_pad=0.05)  # type: ignore[union-attr, call-arg]
        drawn.patch.set_visible(False)
        axes = drawn.subplots()
        axes.patch.set_visible(False)
        panel.draw(axes)
        text = StringIO()
        drawn.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return text.getvalue()


def _slim(element: "Element", name: str, used: set[str]) -> None:
    """Prefix the ids that are referred to, drop the others, round coordinates."""
    own = element.attrib.pop("id", None)
    if own in used:
        element.attrib["id"] = f"{name}-{own}"
    if link := element.attrib.pop(_LINK, None):
        element.attrib["href"] = f"#{name}-{link.removeprefix('#')}"
    for key in ("clip-path", "style"):
        if key in element.attrib:
            element.attrib[key] = re.sub(r"url\(#", f"url(#{name}-", element.attrib[key])
    for key in _NUMBERS:
        if key in element.attrib:
            element.attrib[key] = re.sub(r"-?\d+\.\d+", _rounded, element.attrib[key]).replace("\n", "")
    element.tail = None
    if _tag(element) != "text":
        element.text = None if element.text is None or not element.text.strip() else element.text


def _references(root: "Element") -> set[str]:
    links = {element.attrib.get(_LINK, "").removeprefix("#") for element in root.iter()}
    values = " ".join(value for element in root.iter() for value in element.attrib.values())
    return links | set(re.findall(r"url\(#([^)]+)\)", values))


def _rounded(found: re.Match[str]) -> str:
    """Return a number with at most two decimals.

    >>> re.sub(r"-?\\d+\\.\\d+", _rounded, "M 1.2345 -0.001")
    'M 1.23 0'
    """
    value = round(float(found.group()), 2)
    return f"{value or 0.0:g}" if abs(value) < 1000 else f"{value:.2f}"


def _tag(element: "Element") -> str:
    return element.tag.rpartition("}")[2]
