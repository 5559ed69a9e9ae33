"""Reading: what a notebook's outputs say, whatever their layout, and what its code cells contain."""

import ast
import re
from collections.abc import Iterator
from html import unescape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w])")
SHOWN = ("text/plain", "text/html")
LOGIC = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda),
    *(ast.For, ast.AsyncFor, ast.While, ast.If, ast.IfExp, ast.Try, ast.With, ast.Match, ast.comprehension),
)
"""What a cell may not hold: it would be logic that is not in the library."""


def texts(cell: "NotebookNode") -> Iterator[str]:
    """Yield the texts a code cell shows, of HTML what a reader sees."""
    for output in cell.get("outputs", ()):
        if output.output_type == "stream":
            yield output.text
        elif output.output_type == "error":
            yield f"{output.ename}: {output.evalue}"
            yield "\n".join(output.traceback)
        else:
            yield from (_visible(output.data[kind]) for kind in SHOWN if kind in output.data)


def words(text: str) -> tuple[str, list[float]]:
    """Return a text without numbers and layout, and its numbers.

    >>> words("rate   p99\\n 180  346.2±50")
    ('ratep99±', [180.0, 346.2, 50.0])
    """
    # Long rows are broken with a backslash, and ruled lines drawn, where the width of the page says so.
    return re.sub(r"[\s\\─]+", "", NUMBER.sub("", text)), [float(number) for number in NUMBER.findall(text)]


def writes_a_file(cell: "NotebookNode") -> bool:
    """Return whether a cell is the text of a file, such as a policy."""
    return bool(cell.source.startswith("%%writefile "))


def logic(cell: "NotebookNode") -> list[str]:
    """Return the kinds of statement in a code cell that belong into the library."""
    return [type(node).__name__ for node in ast.walk(ast.parse(cell.source)) if isinstance(node, LOGIC)]


def _visible(html: str) -> str:
    return unescape(re.sub(r"<style.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL))
