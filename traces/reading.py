"""Reading: how somebody wants a file read; what they leave open is found from its first line."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast

from traces import formats
from traces.clock import UNIT_NAMES, TimeUnit
from traces.formats import Format
from traces.parameters import Parameters

BadRows = Literal["stop", "skip"]
BAD_ROWS = ("stop", "skip")


@dataclass(frozen=True)
class Reading:
    """format, time_unit, block_tokens: None for those of the file. bad_rows: an error, or left out and counted.

    rows: only the first so many sound rows are read; what follows is not looked at.
    """

    format: Format | None = None
    time_unit: TimeUnit | None = None
    block_tokens: int | None = None
    bad_rows: BadRows = "stop"
    rows: int | None = None

    def of_rows(self, rows: int | None) -> "Reading":
        """Return the same reading of the first so many rows."""
        return replace(self, rows=rows)


def reading(
    *,
    format: str | None,
    time_unit: str | None,
    columns: Mapping[str, object] | None,
    bad_rows: str,
    block_tokens: int | None,
    problems: list[str],
) -> Reading:
    """Return how to read a file; `problems` gets what is wrong with it."""
    found: Format | None = None
    if columns is not None:
        found = formats.mapped(columns, problems)
        if format is not None:
            problems.append("format: columns say how to read the file; leave one of the two out")
    elif format is not None:
        from traces.conversations import FORMATS

        try:
            found = formats.named(format, FORMATS)
        except ValueError as error:
            problems.append(str(error))
    if time_unit is not None and time_unit not in UNIT_NAMES:
        problems.append(f"time_unit: must be one of {', '.join(UNIT_NAMES)}, got {time_unit!r}")
    if bad_rows not in BAD_ROWS:
        problems.append(f"bad_rows: must be one of {', '.join(BAD_ROWS)}, got {bad_rows!r}")
    if block_tokens is not None:
        Parameters("", {"block_tokens": block_tokens}, problems).integer("block_tokens", least=1)
    return Reading(found, cast("TimeUnit | None", time_unit), block_tokens, cast(BadRows, bad_rows))
