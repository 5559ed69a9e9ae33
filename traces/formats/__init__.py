"""Formats: the public trace formats that can be read, and which of them a file is in."""

from collections.abc import Sequence
from difflib import get_close_matches

from traces.formats.aiperf import AIPERF
from traces.formats.azure import AZURE
from traces.formats.base import BadRow, Columns, Format, OddRows, Table, shown
from traces.formats.burstgpt import BURSTGPT
from traces.formats.length_tables import APEX, LENGTHS, VICUNA, VIDUR
from traces.formats.mapped import Mapped, mapped
from traces.formats.mooncake import BAILIAN, MOONCAKE, TIMED_TRACE
from traces.formats.token_lines import CUSTOM, TOKEN_LINES

# In doubt the first one wins: the rows of Bailian and AIPerf are whole rows of those after them.
_ALL: tuple[Format, ...] = (
    *(AZURE, BURSTGPT, VIDUR, APEX, VICUNA, LENGTHS),
    *(BAILIAN, AIPERF, MOONCAKE, TIMED_TRACE, CUSTOM, TOKEN_LINES),
)
FORMATS: dict[str, Format] = {format.name: format for format in _ALL}
_LIKELY = 0.5
"""A first line with so much of a format is of it, even if it is broken."""
_LIKELY_ROW = 0.2
"""The same for JSON lines, whose first line may be cut short."""


def named(name: str, others: Sequence[str] = ()) -> Format:
    """Return the format of that name; ValueError lists the known ones, and `others` that are read elsewhere."""
    if name not in FORMATS:
        known = (*FORMATS, *others)
        near = get_close_matches(name, known, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"format: must be one of {', '.join(known)}, got {name!r}{hint}")
    return FORMATS[name]


def of_file(first_line: str, asked: Format | None) -> Format:
    """Return the format of a file that starts with this line; ValueError if it is not the one asked for."""
    start = shown(first_line)
    if asked is not None and asked.resembles(first_line) >= _enough(first_line):
        return asked
    best = max(FORMATS.values(), key=lambda format: format.resembles(first_line))
    seen = best if best.resembles(first_line) >= _enough(first_line) else None
    if first_line.lstrip().startswith("["):
        raise ValueError(
            f"this is a JSON array, not one object a line (jq -c '.[]' FILE writes it so); the file starts with {start}"
        )
    if asked is None and seen is None:
        advice = _what_it_may_be(first_line) or (
            "say what its columns are, as columns: {arrival: ..., prompt_tokens: ..., output_tokens: ...}"
        )
        raise ValueError(f"looks like no known format ({', '.join(FORMATS)}); {advice}; the file starts with {start}")
    if asked is not None and seen is not None:
        raise ValueError(
            f"read as {asked.name} ({asked.layout}), but it looks like {seen.name} ({seen.layout}): "
            f"set format: {seen.name}, or leave it out"
        )
    if asked is not None:
        raise ValueError(f"{asked.name} is {asked.layout}; this file starts with {start}")
    assert seen is not None
    return seen


def _what_it_may_be(first_line: str) -> str:
    """Return why a file is no table, where its first line tells.

    >>> _what_it_may_be("TIMESTAMP;ContextTokens;GeneratedTokens")
    "its cells are separated by ';', and only commas are read"
    """
    if first_line.startswith("PK\x03\x04"):
        return "it is a zip archive: unpack it"
    if "\x00" in first_line:
        return "it is no text in UTF-8"
    if "," not in first_line:
        for separator in ("\t", ";"):
            if separator in first_line:
                return f"its cells are separated by {separator!r}, and only commas are read"
    return ""


def _enough(first_line: str) -> float:
    return _LIKELY_ROW if first_line.lstrip().startswith("{") else _LIKELY


__all__ = ["FORMATS", "BadRow", "Columns", "Format", "Mapped", "OddRows", "Table", "mapped", "named", "of_file"]
