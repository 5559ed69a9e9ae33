"""Formats: the public trace formats that can be read, and which of them a file is in."""

from difflib import get_close_matches

from traces.formats.azure import Azure
from traces.formats.base import BadRow, Columns, Format, shown
from traces.formats.mooncake import Mooncake

FORMATS: dict[str, Format] = {format.name: format for format in (Azure(), Mooncake())}


def named(name: str) -> Format:
    """Return the format of that name; ValueError lists the known ones."""
    if name not in FORMATS:
        near = get_close_matches(name, FORMATS, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"format: must be one of {', '.join(FORMATS)}, got {name!r}{hint}")
    return FORMATS[name]


def of_file(first_line: str, asked: Format | None) -> Format:
    """Return the format of a file that starts with this line; ValueError if it is not the one asked for."""
    seen = next((format for format in FORMATS.values() if format.recognises(first_line)), None)
    if asked is None and seen is None:
        known = "; ".join(f"{format.name}: {format.layout}" for format in FORMATS.values())
        raise ValueError(f"looks like no known format ({known}); the file starts with {shown(first_line)}")
    if asked is not None and seen is not None and seen.name != asked.name:
        raise ValueError(
            f"read as {asked.name} ({asked.layout}), but it looks like {seen.name} ({seen.layout}): "
            f"set format: {seen.name}, or leave it out"
        )
    if asked is not None and seen is None:
        raise ValueError(f"{asked.name} is {asked.layout}; this file starts with {shown(first_line)}")
    assert seen is not None
    return seen


__all__ = ["FORMATS", "BadRow", "Columns", "Format", "named", "of_file"]
