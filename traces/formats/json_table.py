"""JSON table: how lines of JSON objects become columns, once it is known which key says what."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import chain
from math import ceil
from operator import itemgetter
from typing import Any

import numpy as np

from simcore.contract.traffic import Column
from traces import clock
from traces.clock import TimeUnit
from traces.formats.base import BadRow, Columns, Fields, Row
from traces.formats.blocks import heads_of
from traces.formats.json_row import DECODER, JsonRow, object_in
from traces.formats.tokens import token_columns


@dataclass(frozen=True)
class JsonTable:
    """`traces.formats.base.Table` of JSON lines.

    Keys that no field names are read past. A count may also be a list of token ids, or text if `chars_per_token` says
    how it becomes one. dates: whether times may be text.
    """

    fields: Fields
    block_tokens: int | None = None
    chars_per_token: float | None = None
    dates: bool = False

    has_header = False

    def columns(self, lines: list[str], unit: TimeUnit) -> Columns:
        fields = self.fields
        picked = self._picked(lines)
        n = len(lines)
        zero = np.zeros(n, np.int64)
        second, ps = (zero, zero) if fields.arrival is None else self._instants(picked[fields.arrival], unit)
        counts = {field: self._counts(picked[column]) for field, column in fields.counts}
        prompt_tokens, output_tokens = token_columns(counts, n)
        labels = picked[fields.request_class] if fields.request_class is not None else None
        if labels is not None and not (set(map(type, labels)) == {str} and all(map(str.strip, labels))):
            raise ValueError("a class without a name")
        head = None
        if fields.hash_ids is not None and self.block_tokens is not None:
            lists = picked[fields.hash_ids]
            if set(map(type, lists)) != {list}:
                raise ValueError("hash ids that are no list")
            ids = list(chain.from_iterable(lists))
            if not set(map(type, ids)) <= {int}:
                raise ValueError("a hash id that is no whole number")
            head = heads_of(list(map(len, lists)), ids, prompt_tokens, self.block_tokens)
        return Columns(second, ps, prompt_tokens, output_tokens, head, labels and [label.strip() for label in labels])

    def row(self, line: str, unit: TimeUnit) -> Row:
        value = object_in(line, self.fields.columns)
        row = JsonRow(line, value, self.fields)
        row.check_keys()
        second, ps = row.instant(unit, self.dates)
        counts = row.counts(self.chars_per_token)
        ids = row.ids(counts, self.block_tokens)
        label = row.label()
        if row.faults:
            raise BadRow(row.faults)
        return Row(second, ps, counts.get("prompt_tokens", 0), counts.get("output_tokens", 0), ids, label)

    def _picked(self, lines: Sequence[str]) -> dict[str, Sequence[Any]]:
        """Return the values of each key that is read, line after line."""
        wanted = self.fields.columns
        pick: Callable[[Any], Any] = itemgetter(*wanted)
        decode = DECODER.raw_decode
        rows = []
        for line in lines:
            value, end = decode(line)
            try:
                rows.append(pick(value))
            except (KeyError, TypeError, IndexError) as error:
                raise ValueError("a key is missing, or a row is no object") from error
            if line[end:].strip():
                raise ValueError("more than an object in a line")
        columns: Collection[Sequence[Any]] = [rows] if len(wanted) == 1 else list(zip(*rows, strict=True))
        return dict(zip(wanted, columns, strict=True))

    def _instants(self, values: Sequence[Any], unit: TimeUnit) -> tuple[Column, Column]:
        if self.dates and type(values[0]) is str:
            if set(map(type, values)) != {str}:
                raise ValueError("dates and numbers")
            return clock.instants(values, unit)
        return clock.numbers(values, unit)

    def _counts(self, values: Sequence[Any]) -> Sequence[int]:
        kinds = set(map(type, values))
        if kinds == {int}:
            return values
        if kinds == {str} and self.chars_per_token is not None:
            return [ceil(len(text) / self.chars_per_token) for text in values]
        if kinds == {list} and set(map(type, chain.from_iterable(values))) <= {int}:
            return list(map(len, values))
        raise ValueError("a count that is no whole number")
