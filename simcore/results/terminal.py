"""Terminal: where results are printed, at the terminal's width; a pipe or a file is as wide as what is printed."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_AS_WIDE_AS_IT_TAKES = 10_000
"""Columns. For a pipe rich would take 80, and cut the numbers of a wider table."""


def terminal() -> "Console":
    """Return standard output. Colours are left out when that is not a terminal."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_AS_WIDE_AS_IT_TAKES)
