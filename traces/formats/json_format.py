"""JSON format: a public format of JSON lines, given by its keys."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from traces.clock import TimeUnit
from traces.formats.base import NOTHING, BadRow, Fields
from traces.formats.json_row import object_in
from traces.formats.json_table import JsonTable


@dataclass(frozen=True)
class JsonFormat:
    """`traces.formats.base.Format` of JSON lines with the keys of `fields`, in any order and among others.

    optional: keys that are read if the first row has them. signs: keys that are read past and tell the format.
    """

    name: str
    fields: Fields
    time_unit: TimeUnit = "s"
    block_tokens: int | None = None
    optional: Fields = NOTHING
    signs: tuple[str, ...] = ()

    @property
    def layout(self) -> str:
        """What the file looks like, for people."""
        return f"JSON lines with {', '.join((*self.fields.columns, *self.signs))}"

    def resembles(self, first_line: str) -> float:
        """Return the share of the keys that a first row has."""
        if not first_line.lstrip().startswith("{"):
            return 0.0
        wanted = (*self.fields.columns, *self.signs)
        return sum(f'"{key}"' in first_line for key in wanted) / len(wanted)

    def table(self, first_line: str, block_tokens: int | None) -> JsonTable:
        """Return how to read a file with this first row; a row that is no object is for `JsonTable.row` to judge."""
        row = first_object(first_line)
        fields = self.fields.joined(self.optional, row)
        for key in self.optional.columns:
            # A key that is optional and misspelt would be read past in silence.
            if key not in row and (near := get_close_matches(key, row, n=1, cutoff=0.8)):
                raise BadRow(
                    [(first_line.find(f'"{near[0]}"') + 1, f"unknown key {near[0]!r} (did you mean {key!r}?)")]
                )
        return JsonTable(fields, (block_tokens or self.block_tokens) if fields.hash_ids else None)


@dataclass(frozen=True)
class BlockFormat(JsonFormat):
    """Prompts as hash ids of blocks: formats that differ in the size of their blocks look alike but for that."""

    def resembles(self, first_line: str) -> float:
        """Return the share of the keys, and a little less if the ids of the first row are of another block size."""
        share = super().resembles(first_line)
        row = first_object(first_line)
        prompt_tokens, ids = row.get(self.fields.prompt_tokens or ""), row.get(self.optional.hash_ids or "")
        if type(prompt_tokens) is int and isinstance(ids, list) and self.block_tokens is not None:
            return share if len(ids) == -(-prompt_tokens // self.block_tokens) else 0.9 * share
        return 0.9 * share


def first_object(line: str) -> dict[str, Any]:
    """Return the object of a first line; an empty one if there is none."""
    try:
        return object_in(line)
    except BadRow:
        return {}
