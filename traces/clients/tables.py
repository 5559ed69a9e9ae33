"""Tables: distributions of whole numbers, each with its probability, as ServeGen writes them in Python's notation."""

import ast
import json
import math
import re
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simcore.contract.traffic import Column
from traces.formats.base import MAX_TOKENS, shown

_PAIR = r"[\d.e-]++: [\d.e-]++"
_PLAIN = re.compile(rf"\{{(?:{_PAIR}, )*+{_PAIR}\}}", re.ASCII)
_TO_JSON_LIST = str.maketrans("{}:", "[],")
_TOLERANCE = 1e-6
"""Of a sum of probabilities, which a file gives with some 16 digits each."""


@dataclass(frozen=True, eq=False)
class Table:
    """values: [m] int64, rising, >= 0. below: [m] float64, rising to 1: the chance of at most this value."""

    values: Column
    below: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64], chances: NDArray[np.float64]) -> "Table":
        """Return the table of values in any order, with chances that sum to 1 but for rounding."""
        order = np.argsort(values, kind="stable")
        below = np.cumsum(chances[order])
        below /= below[-1]
        below[-1] = 1.0
        return cls(values[order].astype(np.int64), below)

    @property
    def chances(self) -> NDArray[np.float64]:
        """[m] float64, the chance of each value."""
        return np.diff(self.below, prepend=0.0)

    @property
    def mean(self) -> float:
        return float(self.values @ self.chances)

    def at(self, uniforms: NDArray[np.float64]) -> Column:
        """Return the values at chances in [0, 1): those of [0, below[0]) are values[0], and so on."""
        found: Column = self.values[np.searchsorted(self.below, uniforms, side="right")]
        return found


def read_table(text: object, *, whole: bool = True) -> Table | None:
    """Return the distribution in `{value: probability, ...}`; None if it is empty: nothing was sent.

    whole: its values are token counts; else they are shares, which are checked and not kept (the table is then
    that of the constant 0). ValueError says what is wrong.

    >>> table = read_table("{10: 0.25, 30: 0.75}")
    >>> table.mean, table.at(np.array([0.2, 0.25, 0.9])).tolist()
    (25.0, [10, 30, 30])
    """
    values, chances = _numbers(text)
    if not len(values):
        return None
    most = MAX_TOKENS if whole else 1
    bad = ~((values >= 0) & (values <= most))
    if whole:
        bad |= values != np.rint(values)
    if bad.any():
        kind = "whole numbers" if whole else "numbers"
        raise ValueError(f"values must be {kind} between 0 and {most:,}, got {values[bad][0]:g}")
    bad = ~((chances >= 0) & (chances <= 1 + _TOLERANCE))
    if bad.any():
        raise ValueError(f"probabilities must be between 0 and 1, got {chances[bad][0]:g}")
    total = math.fsum(chances)
    if abs(total - 1) > _TOLERANCE:
        raise ValueError(f"probabilities must sum to 1, got {total:.9g}")
    if not whole:
        return Table.of(np.zeros(1), np.ones(1))
    if len(np.unique(values)) != len(values):
        raise ValueError("values must be given once each, got one twice")
    return Table.of(values, chances)


def _numbers(text: object) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return values and probabilities; plain tables, as published, without Python's parser: ten times as fast."""
    rule = "must be a Python dictionary {value: probability, ...} in a string"
    if not isinstance(text, str):
        raise ValueError(f"{rule}, got {shown(repr(text))}")
    if _PLAIN.fullmatch(text):
        with suppress(json.JSONDecodeError):
            numbers = np.array(json.loads(text.translate(_TO_JSON_LIST)), np.float64)
            return numbers[0::2], numbers[1::2]
    try:
        given = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"{rule}, got {shown(text)}") from error
    if not isinstance(given, dict):
        raise ValueError(f"{rule}, got {shown(text)}")
    pairs = [each for pair in given.items() for each in pair]
    wrong = [each for each in pairs if isinstance(each, bool) or not isinstance(each, int | float)]
    if wrong:
        raise ValueError(f"values and probabilities must be numbers, got {shown(repr(wrong[0]))}")
    try:
        return np.array(pairs[0::2], np.float64), np.array(pairs[1::2], np.float64)
    except OverflowError as error:
        raise ValueError(f"{rule}, got {shown(text)}") from error
