"""Mapped: any CSV or JSON lines, told which column says what.

columns: {arrival: ts, prompt_tokens: in, output_tokens: out, class: tenant, hash_ids: blocks}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from traces.clock import TimeUnit
from traces.formats.base import BadRow, Fields, Table
from traces.formats.csv_table import CsvTable
from traces.formats.header import cells_of, missing_faults
from traces.formats.json_format import first_object
from traces.formats.json_table import JsonTable
from traces.parameters import Parameters

ROLES = ("arrival", "prompt_tokens", "output_tokens", "total_tokens", "class", "hash_ids")
CHARS_PER_TOKEN = "chars_per_token"


@dataclass(frozen=True)
class Mapped:
    """`traces.formats.base.Format` of a file whose columns somebody named. Times may be dates or numbers."""

    fields: Fields
    time_unit: TimeUnit = "s"
    chars_per_token: float | None = None
    name: str = "columns"
    layout: str = "CSV or JSON lines, by the columns given"

    def resembles(self, first_line: str) -> float:
        """Return 1: whoever names the columns has decided."""
        return 1.0

    def table(self, first_line: str, block_tokens: int | None) -> Table:
        """Return how to read a file; BadRow if a column is not there."""
        if self.fields.hash_ids and block_tokens is None:
            raise ValueError("columns: hash_ids: needs block_tokens, how many tokens of the prompt one id names")
        if not first_line.lstrip().startswith("{"):
            if faults := missing_faults(self.fields.columns, first_line):
                raise BadRow(faults)
            if self.chars_per_token is not None:
                raise ValueError("columns: chars_per_token: is for JSON lines; a CSV file must have token counts")
            return CsvTable(self.fields, [cell.strip() for cell in cells_of(first_line)], block_tokens)
        if row := first_object(first_line):
            _check_keys(self.fields.columns, row)
        tokens = block_tokens if self.fields.hash_ids else None
        return JsonTable(self.fields, tokens, self.chars_per_token, dates=True)


def mapped(columns: object, problems: list[str]) -> Mapped | None:
    """Read `{arrival: name, prompt_tokens: name, ...}`; None if `problems` now say what is wrong with it."""
    before = len(problems)
    parameters = Parameters("columns", columns, problems, shape=f"a mapping from {', '.join(ROLES)} to columns")
    given = {role: parameters.raw(role) for role in ROLES}
    for role, column in given.items():
        if column is not None and (not isinstance(column, str) or not column):
            parameters.add(role, f"must be the name of a column, got {column!r}")
    chars = parameters.positive(CHARS_PER_TOKEN) if parameters.has(CHARS_PER_TOKEN) else None
    parameters.finish()
    if isinstance(columns, Mapping) and given["prompt_tokens"] is None:
        needy = [role for role in ("hash_ids", "total_tokens") if given[role] is not None]
        problems += [f"columns.{role}: needs prompt_tokens beside it" for role in needy]
        if given["output_tokens"] is None:
            problems.append("columns: must name prompt_tokens, output_tokens or both, got neither")
    elif given["total_tokens"] is not None and given["output_tokens"] is None:
        problems.append("columns.total_tokens: needs output_tokens beside it")
    if len(problems) > before:
        return None
    names = {("request_class" if role == "class" else role): column for role, column in given.items()}
    return Mapped(Fields(**names), chars_per_token=chars)  # type: ignore[arg-type]


def _check_keys(wanted: tuple[str, ...], row: Mapping[str, object]) -> None:
    faults = []
    for key in wanted:
        if key not in row:
            near = get_close_matches(key, row, n=1, cutoff=0.5)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            faults.append((1, f"missing column {key!r}{hint}; the file has {', '.join(row)}"))
    if faults:
        raise BadRow(faults)
