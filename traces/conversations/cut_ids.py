"""Cut ids: long lists of block ids taken out of a line of JSON before it is decoded, which is half of the work.

Only what is plainly a list of ids is taken; everything else stays for the decoder, and for who checks what it found.
"""

import re
from typing import Any

import numpy as np

from simcore.contract.traffic import Column
from traces.formats.base import BadRow
from traces.formats.json_row import object_in

_MARK = "cut out: list "
_LIST = re.compile(r'("hash_ids":)\[(\d[\d,]*)\]', re.ASCII)
_SURE = 10**18
"""Ids from here on may not fit 64 bits."""


def decoded(line: str) -> tuple[dict[str, Any], dict[str, Column]]:
    """Return the object of a line, with marks for lists that were taken out, and the lists by their marks.

    >>> decoded('{"in": 9, "hash_ids":[3,4]}')
    ({'in': 9, 'hash_ids': 'cut out: list 0'}, {'cut out: list 0': array([3, 4])})
    """
    lists: dict[str, Column] = {}

    def cut(found: re.Match[str]) -> str:
        digits = found[2]
        if ",," in digits or digits.endswith(","):
            return found[0]
        ids = np.fromstring(digits, np.int64, sep=",")
        if ids.max() >= _SURE:
            return found[0]
        mark = f"{_MARK}{len(lists)}"
        lists[mark] = ids
        return f'{found[1]}"{mark}"'

    if _MARK in line:
        return object_in(line), {}
    try:
        return object_in(_LIST.sub(cut, line)), lists
    except BadRow:
        return object_in(line), {}  # to say where in the line itself it breaks
