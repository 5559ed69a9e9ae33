"""Blocks: how long a client's prompts and outputs are, six hours by six hours, as its `chunk-*-dataset.json` tells.

Language and reasoning models have `input_tokens` and `output_tokens` (a reasoning model's output holds its reasoning;
`reason_ratio` says how much). Multimodal models have `text_tokens`, how many images, audios and videos come with
them, and the tokens of one of each: a prompt is its text and all of these. The published distributions are of one
field alone, so the fields of a request are drawn independently.
"""

import json
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from simcore.contract.traffic import Column
from traces.clients.bundle import ClientFile
from traces.clients.findings import Findings
from traces.clients.tables import Table, read_table
from traces.formats.base import shown

MEDIA = ("image", "audio", "video")


@dataclass(frozen=True, eq=False)
class Block:
    """Lengths of one client in one block of time. media: how many of each medium, and the tokens of one of them."""

    prompt: Table
    output: Table
    media: tuple[tuple[Table, Table], ...] = ()

    def draw(self, stream: Callable[[int], Generator], n: int) -> tuple[Column, Column]:
        """Return [n] prompt and [n] output tokens of the next requests, both at least 1.

        stream: the generators, always the same ones: 0 of what each request has, 1 and on of the items of each medium.
        """
        uniforms = stream(0).random((n, 2 + len(self.media)))
        prompt = self.prompt.at(uniforms[:, 0])
        for each, (count, tokens) in enumerate(self.media):
            if count.values[-1]:
                prompt = prompt + _items(count.at(uniforms[:, 2 + each]), tokens, stream(1 + each))
        return np.maximum(prompt, 1), np.maximum(self.output.at(uniforms[:, 1]), 1)


@dataclass(frozen=True)
class Blocks:
    """Blocks in order of time; one lasts until the next that has any requests begins."""

    starts_s: tuple[float, ...]
    blocks: tuple[Block, ...]

    def at(self, start_s: float) -> Block | None:
        """Return the block of a window that starts then; None if none has begun."""
        found = bisect_right(self.starts_s, start_s)
        return self.blocks[found - 1] if found else None


def read_blocks(file: ClientFile, findings: Findings) -> Blocks | None:
    """Return the lengths of a client; None if `findings` now say what is wrong with them."""
    before = len(findings.found)
    try:
        given = json.loads(file.text)
    except json.JSONDecodeError as error:
        findings.add(file.place, error.lineno, error.colno, f"must be JSON: {error.msg}")
        return None
    if not isinstance(given, dict) or not given:
        findings.add(file.place, 1, 1, "must be a mapping of start seconds to fields, with at least one")
        return None
    found: dict[float, Block] = {}
    for key, fields in given.items():
        block = _Fields(file, key, fields, findings)
        start_s = block.start_s()
        tables = block.tables()
        if tables is not None:
            found[start_s] = tables
    if len(findings.found) > before:
        return None
    starts_s = tuple(sorted(found))
    return Blocks(starts_s, tuple(found[start_s] for start_s in starts_s))


class _Fields:
    """The fields of one block, and where in the file they stand."""

    def __init__(self, file: ClientFile, key: str, given: Any, findings: Findings) -> None:
        self._file, self._key, self._findings = file, key, findings
        self._given: Mapping[str, object] = given if isinstance(given, dict) else {}
        if not isinstance(given, dict):
            self._wrong("", f"must be a mapping of fields, got {shown(repr(given))}")

    def start_s(self) -> float:
        if self._key.isdecimal() and self._key.isascii():
            return float(self._key)
        self._wrong("", f"must be a start in whole seconds, got {shown(self._key)}")
        return 0.0

    def tables(self) -> Block | None:
        """Return the tables; None if one of them is empty: in such a block the client sent nothing."""
        if not self._given:
            return None
        text = "text_tokens" if "text_tokens" in self._given else "input_tokens"
        media = [name for name in MEDIA if f"{name}_count" in self._given or f"{name}_tokens" in self._given]
        needed = [text, "output_tokens", *(f"{name}_{part}" for name in media for part in ("count", "tokens"))]
        read = list(map(self._table, needed))
        if "reason_ratio" in self._given:
            self._table("reason_ratio")
        if any(table is None for table in read):
            return None
        prompt, output, *items = (table for table in read if table is not None)
        nothing = (Table.of(np.zeros(1), np.ones(1)),) * 2
        of = dict(zip(media, zip(items[0::2], items[1::2], strict=True), strict=True))
        return Block(prompt, output, tuple(of.get(name, nothing) for name in MEDIA) if media else ())

    def _table(self, field: str) -> Table | None:
        if field not in self._given:
            self._wrong("", f"{field}: missing")
            return None
        try:
            return read_table(self._given[field], whole=field != "reason_ratio")
        except ValueError as error:
            self._wrong(field, f"{field}: {error}")
            return None

    def _wrong(self, field: str, message: str) -> None:
        at = self._file.text.find(json.dumps(self._key))
        if field:
            at = self._file.text.find(json.dumps(field), at)
        line = self._file.text.count("\n", 0, at) + 1
        column = at - self._file.text.rfind("\n", 0, at)
        self._findings.add(self._file.place, line, column, f"block {self._key}: {message}")


def _items(counts: Column, tokens: Table, generator: Generator) -> Column:
    """Return [n] tokens of as many items as `counts` says of each request."""
    owner = np.repeat(np.arange(len(counts)), counts)
    drawn = tokens.at(generator.random(len(owner)))
    return np.rint(np.bincount(owner, drawn, len(counts))).astype(np.int64)
