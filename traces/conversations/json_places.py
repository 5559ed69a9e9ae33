"""JSON places: the values of objects within a line, and in which column of the line each stands."""

import json
from decimal import Decimal
from typing import Any

from simcore.contract.units import PS_PER_S
from traces.conversations.table import MAX_S
from traces.formats.base import MAX_TOKENS, shown


class Part:
    """An object within a line, at index `start` of its text; what is wrong with its values gathers in `faults`."""

    __slots__ = ("_line", "_start", "_value", "_where", "faults")

    def __init__(
        self, line: str, value: dict[str, Any], faults: list[tuple[int, str]], start: int = 0, where: str = ""
    ) -> None:
        self._line = line
        self._value = value
        self._start = start
        self._where = where
        self.faults = faults

    def whole(self, key: str, least: int, most: int = MAX_TOKENS, unit: str = "tokens") -> int:
        """Return a whole number, `least` ... `most`."""
        value = self._value.get(key)
        if type(value) is int and least <= value <= most:
            return value
        self.add(key, f"must be a whole number of {unit} between {least:,} and {most:,}")
        return least

    def seconds_ps(self, key: str) -> int:
        """Return a time in seconds as picoseconds."""
        value = self._value.get(key)
        if type(value) in (int, Decimal) and 0 <= value <= MAX_S:  # type: ignore[operator]
            return round(value * PS_PER_S)  # type: ignore[operator]
        self.add(key, f"must be between 0 and {MAX_S:,} seconds")
        return 0

    def add(self, key: str, rule: str) -> None:
        """Note that the value at `key` breaks a rule, or that there is none."""
        column = self._line.find(f'"{key}"', self._start) + 1
        if key not in self._value:
            self.faults.append((self._start + 1, f"missing key {self._where}{key}"))
        else:
            got = shown(json.dumps(self._value[key], default=float))
            self.faults.append((column or 1, f"{self._where}{key}: {rule}, got {got}"))
