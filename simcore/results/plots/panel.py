"""Panel: one chart, drawn on any axes: side by side in a PNG, or alone as SVG in a page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class Panel:
    """What a chart shows, and how it is drawn.

    Args:
        name: short and unlike that of any other panel of a study: `ttft`.
        title: what is measured, with its unit.
        says: the chart in a sentence, for who cannot see it.
        draw: draws it, without its title; the axes are empty and alone responsible for limits and labels.
    """

    name: str
    title: str
    says: str
    draw: "Callable[[Axes], None]"
