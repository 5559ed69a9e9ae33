"""Labels: names written beside the ends of their lines, none on another."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST = 22
"""Letters of a name that fit beside the axes."""


def label_ends(axes: "Axes", ends: Sequence[tuple[float, str, str]], *, gap: float = 0.055) -> None:
    """Write (y, text, colour) labels right of the axes, each at the height of its line's end, none on another.

    Args:
        gap: least distance between labels, share of the height of the axes. Limits must be final.
    """
    places = [(min(max(_share_of_axis(axes, y), 0.0), 1.0), text, colour) for y, text, colour in ends]
    places.sort(key=lambda place: place[0])
    heights = spread([place for place, _, _ in places], gap)
    for height, (place, text, colour) in zip(heights, places, strict=True):
        at = {"xycoords": "axes fraction", "textcoords": "axes fraction"}
        line = {"arrowstyle": "-", "color": colour, "lw": 0.8, "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5)}
        style = {"color": colour, "va": "center", "annotation_clip": False, "arrowprops": line}
        axes.annotate(shortened(text), xy=(1.0, place), xytext=(1.025, height), **at, **style)  # type: ignore[arg-type]


def _share_of_axis(axes: "Axes", y: float) -> float:
    """Return how far up the axis `y` stands, whatever its scale."""
    at = axes.transData.transform((axes.get_xlim()[0], y))
    return float(axes.transAxes.inverted().transform(at)[1])


def shortened(text: str) -> str:
    """Return a text of at most `LONGEST` letters.

    >>> shortened("a_system_with_quite_a_long_name")
    'a_system_with_quite_a…'
    """
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Return ascending `heights` moved as little as needed to be `gap` apart, within 0..1 if they fit.

    >>> spread([0.5, 0.5, 0.9], 0.1)
    [0.45, 0.55, 0.9]
    """
    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while (
            len(groups) > 1
            and _middle(groups[-1]) - _middle(groups[-2]) < gap * (len(groups[-1]) + len(groups[-2])) / 2 - 1e-9
        ):
            last = groups.pop()
            groups[-1] += last
    placed: list[float] = []
    for group in groups:
        room = gap * (len(group) - 1) / 2
        middle = min(max(_middle(group), room), max(1 - room, room))
        placed += [round(middle + gap * (index - (len(group) - 1) / 2), 9) for index in range(len(group))]
    return placed


def _middle(group: Sequence[float]) -> float:
    return sum(group) / len(group)
