"""Tokens: the counts of a row: each within bounds, the total their sum."""

from collections.abc import Iterable, Mapping

import numpy as np

from simcore.contract.traffic import Column
from traces.formats.base import MAX_TOKENS, Fields, OddRows, shown

_NO_ANSWER = " (a request without an answer failed or was cut off; bad_rows: skip leaves such rows out)"


def token_column(counts: Iterable[int], n: int) -> Column:
    """Return [n] token counts; OddRows where one is outside 1 ... MAX_TOKENS."""
    try:
        column = np.fromiter(counts, np.int64, n)
    except OverflowError as error:
        raise ValueError("token count out of range") from error
    if n and (column.min() < 1 or column.max() > MAX_TOKENS):
        raise OddRows(np.flatnonzero((column < 1) | (column > MAX_TOKENS)))
    return column


def token_columns(counts: Mapping[str, Iterable[int]], n: int) -> tuple[Column, Column]:
    """Return [n] prompt and output tokens, 0 where the file has none; OddRows where one, or a total, is wrong.

    counts: by their names in `Fields`.
    """
    zero = np.zeros(n, np.int64)
    prompt = token_column(counts["prompt_tokens"], n) if "prompt_tokens" in counts else zero
    output = token_column(counts["output_tokens"], n) if "output_tokens" in counts else zero
    if "total_tokens" in counts:
        total = np.array(list(counts["total_tokens"]))
        if (total != prompt + output).any():
            raise OddRows(np.flatnonzero(total != prompt + output))
    return prompt, output


def token_fault(field: str, count: int) -> str | None:
    """Return what is wrong with a token count, or None. field: its name in `Fields`."""
    if 1 <= count <= MAX_TOKENS or field == "total_tokens":
        return None
    why = _NO_ANSWER if field == "output_tokens" and count == 0 else ""
    return f"must be between 1 and {MAX_TOKENS:,} tokens, got {shown(str(count))}{why}"


def total_fault(fields: Fields, counts: Mapping[str, int]) -> str | None:
    """Return what is wrong with the total of a row that has one, or None.

    >>> total_fault(Fields(prompt_tokens="in", output_tokens="out"),
    ...             {"prompt_tokens": 3, "output_tokens": 4, "total_tokens": 8})
    "must be in + out = 7, got '8'"
    """
    both = counts["prompt_tokens"] + counts["output_tokens"]
    if counts["total_tokens"] == both:
        return None
    total = shown(str(counts["total_tokens"]))
    return f"must be {fields.prompt_tokens} + {fields.output_tokens} = {both}, got {total}"
