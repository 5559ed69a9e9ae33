"""JSON row: one line of JSON, read field by field to find what is wrong with it."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from json import JSONDecodeError
from math import ceil
from typing import Any, NoReturn

from traces import clock
from traces.clock import TimeUnit
from traces.formats.base import BadRow, Fields, shown
from traces.formats.blocks import block_fault
from traces.formats.tokens import token_fault, total_fault

_TEXT = " (there is no tokenizer here to count the tokens of text; columns: {chars_per_token: ...} estimates them)"


def _refuse(constant: str) -> NoReturn:
    raise JSONDecodeError(f"{constant} is not a number JSON knows", constant, 0)


DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)


def object_in(line: str, keys: Sequence[str] = ()) -> dict[str, Any]:
    """Return the object a line holds; BadRow if it holds none. keys: what it should have."""
    try:
        value = DECODER.decode(line.rstrip("\r\n"))
    except (ValueError, RecursionError) as error:
        column = error.colno if isinstance(error, JSONDecodeError) else 1
        message = error.msg if isinstance(error, JSONDecodeError) else str(error)
        raise BadRow([(column, f"not JSON ({message}): {shown(line)}")]) from error
    if not isinstance(value, dict):
        wanted = f" with {', '.join(keys)}" if keys else ""
        raise BadRow([(1, f"a row must be an object{wanted}, got {shown(line)}")])
    return value


class JsonRow:
    """One object. What is wrong with it gathers in `faults`, and a stand-in is returned."""

    def __init__(self, line: str, value: dict[str, Any], fields: Fields) -> None:
        self.faults: list[tuple[int, str]] = []
        self._line = line
        self._value = value
        self._fields = fields

    def check_keys(self) -> None:
        """Raise BadRow if a key that is read is missing."""
        wanted = self._fields.columns
        others = [key for key in self._value if key not in wanted]
        for key in wanted:
            if key not in self._value:
                near = get_close_matches(key, others, n=1)
                unknown = (self._place(near[0]), f"unknown key {near[0]!r} (did you mean {key!r}?)") if near else None
                self.faults.append(unknown or (1, f"missing key {key!r}{self._within(key)}"))
        if self.faults:
            raise BadRow(self.faults)

    def instant(self, unit: TimeUnit, dates: bool) -> clock.Instant:
        key = self._fields.arrival
        if key is None:
            return 0, 0
        value = self._value[key]
        try:
            if dates and type(value) is str:
                return clock.instant(value, unit)
            if type(value) not in (int, Decimal):
                raise ValueError(f"must be a number of {clock.UNIT_NAMES[unit]}" + (" or a date" if dates else ""))
            return clock.instant_of(value, unit)
        except ValueError as error:
            self._wrong(key, f"{error}, got {shown(_text(value))}")
            return 0, 0

    def counts(self, chars_per_token: float | None) -> dict[str, int]:
        counts: dict[str, int] = {}
        for field, key in self._fields.counts:
            value = self._value[key]
            if type(value) is list and set(map(type, value)) <= {int}:
                value = len(value)
            elif type(value) is str and chars_per_token is not None:
                value = ceil(len(value) / chars_per_token)
            if type(value) is not int:
                self._wrong(
                    key, f"must be a whole number, got {shown(_text(value))}{_TEXT if type(value) is str else ''}"
                )
            elif fault := token_fault(field, value):
                self._wrong(key, fault)
            else:
                counts[field] = value
        total = self._fields.total_tokens
        if total and len(counts) == len(self._fields.counts) and (fault := total_fault(self._fields, counts)):
            self._wrong(total, fault)
        return counts

    def ids(self, counts: Mapping[str, int], block_tokens: int | None) -> list[int]:
        key = self._fields.hash_ids
        if key is None or block_tokens is None or "prompt_tokens" not in counts:
            return []
        ids = self._value[key]
        if not isinstance(ids, list) or not _are_ids(ids):
            self._wrong(key, f"must be a list of whole numbers >= 0 and below 2^63, got {shown(_text(ids))}")
            return []
        if fault := block_fault(ids, counts["prompt_tokens"], block_tokens):
            self._wrong(key, fault)
        return ids

    def label(self) -> str:
        key = self._fields.request_class
        if key is None:
            return ""
        label = self._value[key]
        if type(label) is str and label.strip():
            return label.strip()
        self._wrong(key, f"a class must be a name, got {shown(_text(label))}")
        return ""

    def _within(self, key: str) -> str:
        """Return in which key's object a missing one stands instead."""
        within = next((name for name, value in self._value.items() if isinstance(value, dict) and key in value), None)
        return "" if within is None else f": it stands within {within!r}, and only the keys of a row are read"

    def _wrong(self, key: str, fault: str) -> None:
        self.faults.append((self._place(key), f"{key}: {fault}"))

    def _place(self, key: str) -> int:
        return self._line.find(f'"{key}"') + 1 or 1


def _are_ids(values: list[object]) -> bool:
    return not values or (set(map(type, values)) == {int} and min(values) >= 0 and max(values) < 2**63)  # type: ignore[type-var, operator]


def _text(value: object) -> str:
    return json.dumps(value, default=float)
