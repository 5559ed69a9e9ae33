"""CSV table: how the lines of a CSV file become columns, once its header says where each is."""

import csv
import re
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from simcore.contract.traffic import Column, Heads
from traces import clock
from traces.clock import TimeUnit
from traces.formats.base import BadRow, Columns, Fields, Row, shown
from traces.formats.blocks import block_fault, heads_of
from traces.formats.header import cells_of, column_of
from traces.formats.tokens import token_columns, token_fault, total_fault

_ID_LIST = re.compile(r"\s*\[?[\s\d,;]*\]?\s*", re.ASCII)


class CsvTable:
    """`traces.formats.base.Table` of a CSV file with this header; columns that no field names are read past."""

    has_header = True

    def __init__(self, fields: Fields, header: Sequence[str], block_tokens: int | None) -> None:
        self.fields = fields
        self.block_tokens = block_tokens if fields.hash_ids else None
        self._header = tuple(header)
        self._at = {column: index for index, column in enumerate(header)}

    def columns(self, lines: list[str], unit: TimeUnit) -> Columns:
        try:
            rows = list(csv.reader(lines))
        except csv.Error as error:
            raise ValueError(str(error)) from error
        if len(rows) != len(lines):
            raise ValueError("a quoted line break")
        cells = list(zip(*rows, strict=True))
        if len(cells) != len(self._header):
            raise ValueError("another number of cells than the header has")
        n = len(rows)
        fields = self.fields
        zero = np.zeros(n, np.int64)
        second, ps = (zero, zero) if fields.arrival is None else clock.instants(cells[self._at[fields.arrival]], unit)
        counts = {field: _whole_numbers(cells[self._at[column]]) for field, column in fields.counts}
        prompt_tokens, output_tokens = token_columns(counts, n)
        labels = None
        if fields.request_class is not None:
            labels = [cell.strip() for cell in cells[self._at[fields.request_class]]]
            if not all(labels):
                raise ValueError("a class without a name")
        head = self._heads(cells[self._at[fields.hash_ids]], prompt_tokens) if fields.hash_ids else None
        return Columns(second, ps, prompt_tokens, output_tokens, head, labels)

    def row(self, line: str, unit: TimeUnit) -> Row:
        cells = cells_of(line)
        names = self._header
        if len(cells) != len(names):
            column = column_of(line, len(names)) if len(cells) > len(names) else len(line.rstrip("\r\n")) + 1
            raise BadRow([(column, f"{len(names)} cells expected ({','.join(names)}), got {len(cells)}")])
        row = _CsvRow(line, cells, self._at)
        second, ps = row.instant(self.fields, unit)
        counts = row.counts(self.fields)
        ids = row.ids(self.fields, counts, self.block_tokens)
        label = row.label(self.fields)
        if row.faults:
            raise BadRow(row.faults)
        return Row(second, ps, counts.get("prompt_tokens", 0), counts.get("output_tokens", 0), ids, label)

    def _heads(self, cells: Sequence[str], prompt_tokens: Column) -> Heads:
        assert self.block_tokens is not None
        if not all(map(_ID_LIST.fullmatch, cells)):
            raise ValueError("not a list of ids")
        lists = list(map(_ids, cells))
        return heads_of(list(map(len, lists)), list(chain(*lists)), prompt_tokens, self.block_tokens)


def _whole_numbers(cells: Sequence[str]) -> list[int]:
    digits = "".join(cells)
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError("not all whole numbers")
    return list(map(int, cells))


def _ids(cell: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", cell, re.ASCII)]


class _CsvRow:
    """One line, read field by field; what is wrong with it gathers in `faults`, and a stand-in is returned."""

    def __init__(self, line: str, cells: Sequence[str], at: Mapping[str, int]) -> None:
        self.faults: list[tuple[int, str]] = []
        self._line = line
        self._cells = cells
        self._at = at

    def instant(self, fields: Fields, unit: TimeUnit) -> clock.Instant:
        if fields.arrival is None:
            return 0, 0
        try:
            return clock.instant(self._cell(fields.arrival), unit)
        except ValueError as error:
            self._wrong(fields.arrival, f"{error}, got {shown(self._cell(fields.arrival))}")
            return 0, 0

    def counts(self, fields: Fields) -> dict[str, int]:
        counts: dict[str, int] = {}
        for field, column in fields.counts:
            text = self._cell(column).strip()
            if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 30):
                self._wrong(column, f"must be a whole number, got {shown(self._cell(column))}")
            elif fault := token_fault(field, int(text)):
                self._wrong(column, fault)
            else:
                counts[field] = int(text)
        if fields.total_tokens and len(counts) == len(fields.counts) and (fault := total_fault(fields, counts)):
            self._wrong(fields.total_tokens, fault)
        return counts

    def ids(self, fields: Fields, counts: Mapping[str, int], block_tokens: int | None) -> list[int]:
        if fields.hash_ids is None or block_tokens is None or "prompt_tokens" not in counts:
            return []
        cell = self._cell(fields.hash_ids)
        if not _ID_LIST.fullmatch(cell):
            rule = "must be whole numbers >= 0 with spaces, semicolons or commas between them"
            self._wrong(fields.hash_ids, f"{rule}, got {shown(cell)}")
            return []
        ids = _ids(cell)
        if fault := block_fault(ids, counts["prompt_tokens"], block_tokens):
            self._wrong(fields.hash_ids, fault)
        return ids

    def label(self, fields: Fields) -> str:
        if fields.request_class is None:
            return ""
        label = self._cell(fields.request_class).strip()
        if not label:
            self._wrong(fields.request_class, "a class must have a name, got ''")
        return label

    def _cell(self, column: str) -> str:
        return self._cells[self._at[column]]

    def _wrong(self, column: str, fault: str) -> None:
        self.faults.append((column_of(self._line, self._at[column]), f"{column}: {fault}"))
