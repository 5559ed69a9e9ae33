"""Mooncake: the JSONL of the Mooncake traces (github.com/kvcache-ai/Mooncake, FAST 2025).

One object a line: `timestamp` (milliseconds), `input_length`, `output_length` (tokens), `hash_ids`: one id per
512-token block of the prompt, the last one possibly partial, chained, so that equal leading ids are a shared
prefix. The ids become the segments of the prompt's head, as they are.
"""

import json
from decimal import Decimal
from difflib import get_close_matches
from json import JSONDecodeError
from operator import itemgetter
from typing import Any, NoReturn

import numpy as np

from traces import clock, heads
from traces.clock import TimeUnit
from traces.formats.base import BadRow, Columns, Row, shown, token_column, token_fault

BLOCK_TOKENS = 512
KEYS = ("timestamp", "input_length", "output_length", "hash_ids")
_in_order = itemgetter(*KEYS)


class Mooncake:
    """`traces.formats.base.Format` of the Mooncake traces."""

    name = "mooncake"
    layout = f"JSON lines with {', '.join(KEYS)}"
    time_unit: TimeUnit = "ms"
    has_header = False
    block_tokens: int | None = BLOCK_TOKENS

    def recognises(self, first_line: str) -> bool:
        return first_line.lstrip().startswith("{") and any(f'"{key}"' in first_line for key in KEYS)

    def check_header(self, line: str) -> None:
        raise AssertionError("a Mooncake file has no header")

    def columns(self, lines: list[str], unit: TimeUnit) -> Columns:
        times: list[int | Decimal] = []
        prompts: list[int] = []
        outputs: list[int] = []
        counts: list[int] = []
        ids: list[int] = []
        for line in lines:
            value, end = _DECODER.raw_decode(line)
            try:
                time, prompt, output, hash_ids = _in_order(value)
                plain = len(value) == len(KEYS) and type(hash_ids) is list and type(sum(hash_ids)) is int
            except (KeyError, TypeError) as error:
                raise ValueError("a key is missing, or a value has another type") from error
            # No key has an r or an f, but true and false have, which Python would add up as numbers.
            if not plain or line[end:].strip() or "-" in line or "r" in line or "f" in line:
                raise ValueError("not just the four keys with plain numbers >= 0")
            times.append(time)
            prompts.append(prompt)
            outputs.append(output)
            counts.append(len(hash_ids))
            ids += hash_ids
        n = len(lines)
        if set(map(type, prompts)) | set(map(type, outputs)) != {int}:
            raise ValueError("a length is not a whole number")
        prompt_tokens = token_column(prompts, n)
        blocks = np.array(counts)
        if (blocks != -(-prompt_tokens // BLOCK_TOKENS)).any():
            raise ValueError("hash_ids of another block size")
        try:
            keys = np.array(ids, dtype=np.int64)
        except OverflowError as error:
            raise ValueError("a hash id out of range") from error
        head = heads.of_blocks(keys, blocks, prompt_tokens, BLOCK_TOKENS)
        return Columns(*clock.numbers(times, unit), prompt_tokens, token_column(outputs, n), head)

    def row(self, line: str, unit: TimeUnit) -> Row:
        value = _object(line)
        faults = _key_faults(line, value)
        if faults:
            raise BadRow(faults)
        second = ps = 0
        try:
            if type(value["timestamp"]) not in (int, Decimal):
                raise ValueError(f"must be a number of {clock.UNIT_NAMES[unit]}")
            second, ps = clock.instant_of(value["timestamp"], unit)
        except ValueError as error:
            faults.append((_column(line, "timestamp"), f"timestamp: {error}, got {shown(_text(value['timestamp']))}"))
        for key in ("input_length", "output_length"):
            if type(value[key]) is int:
                fault = token_fault(key, value[key])
            else:
                fault = f"{key}: must be a whole number, got {shown(_text(value[key]))}"
            if fault:
                faults.append((_column(line, key), fault))
        if not faults and (fault := _hash_fault(value["hash_ids"], value["input_length"])):
            faults.append((_column(line, "hash_ids"), fault))
        if faults:
            raise BadRow(faults)
        return Row(second, ps, value["input_length"], value["output_length"], value["hash_ids"])


def _refuse(constant: str) -> NoReturn:
    raise JSONDecodeError(f"{constant} is not a number JSON knows", constant, 0)


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)


def _object(line: str) -> dict[str, Any]:
    try:
        value = _DECODER.decode(line.rstrip("\r\n"))
    except (ValueError, RecursionError) as error:
        column = error.colno if isinstance(error, JSONDecodeError) else 1
        message = error.msg if isinstance(error, JSONDecodeError) else str(error)
        raise BadRow([(column, f"not JSON ({message}): {shown(line)}")]) from error
    if not isinstance(value, dict):
        raise BadRow([(1, f"a row must be an object with {', '.join(KEYS)}, got {shown(line)}")])
    return value


def _key_faults(line: str, value: dict[str, Any]) -> list[tuple[int, str]]:
    missing = [key for key in KEYS if key not in value]
    faults = []
    for key in value:
        if key not in KEYS:
            near = get_close_matches(key, missing, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else f"; a row has {', '.join(KEYS)}"
            faults.append((_column(line, key), f"unknown key {shown(key)}{hint}"))
    return faults + [(1, f"missing key {key!r}") for key in missing]


def _hash_fault(hash_ids: object, prompt_tokens: int) -> str | None:
    if not isinstance(hash_ids, list) or not _are_ids(hash_ids):
        return f"hash_ids: must be a list of whole numbers >= 0 and below 2^63, got {shown(_text(hash_ids))}"
    blocks = -(-prompt_tokens // BLOCK_TOKENS)
    if len(hash_ids) == blocks:
        return None
    fits = [size for size in (2**power for power in range(3, 13)) if -(-prompt_tokens // size) == len(hash_ids)]
    guess = f" (that many would be {fits[0]}-token blocks)" if fits else ""
    return (
        f"hash_ids: must hold one id per {BLOCK_TOKENS}-token block, {blocks} for {prompt_tokens} tokens, "
        f"got {len(hash_ids)}: wrong block size?{guess}"
    )


def _are_ids(values: list[object]) -> bool:
    return not values or (set(map(type, values)) == {int} and min(values) >= 0 and max(values) < 2**63)  # type: ignore[type-var, operator]


def _column(line: str, key: str) -> int:
    return line.find(f'"{key}"') + 1 or 1


def _text(value: object) -> str:
    return json.dumps(value, default=float)
