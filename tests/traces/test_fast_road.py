"""The fast road: what a format reads a piece at a time is what it reads line by line, whatever is in the lines."""

import random

import numpy as np
import pytest

from tests.traces.written import SAMPLES
from traces.formats import FORMATS, BadRow, Columns, Table, mapped

LETTERS = '0123456789.,:-+ eEZT"[]{}\t\u0663nrtau_\n'
SAMPLED = [("azure", "s"), ("azure", "ms"), ("burstgpt", "s"), ("burstgpt", "ms"), ("vidur", "s"), ("apex", "ns"),
           ("vicuna", "s"), ("lengths", "s"), ("mooncake", "ms"), ("timed_trace", "s"), ("bailian", "us"),
           ("custom", "s"), ("token_lines", "s")]  # fmt: skip
MAPPED: list[tuple[str, dict[str, object]]] = [
    ("burstgpt", {"arrival": "Timestamp", "output_tokens": "Response tokens", "class": "Log Type"}),
    ("bailian", {"arrival": "timestamp", "prompt_tokens": "input_length", "class": "type", "hash_ids": "hash_ids"}),
    ("custom", {"prompt_tokens": "prompt", "chars_per_token": 4}),
]


def sample_lines(name: str) -> tuple[str, list[str]]:
    """Return the first line of a sample, and its sound rows."""
    (path,) = SAMPLES.glob(f"{name}_sample.*")
    with path.open(newline="") as file:
        lines = list(file)
    rows = lines[1:] if path.suffix == ".csv" else lines
    return lines[0], [row for row in rows if ",0," not in row or name != "burstgpt"]


def read_as_itself(name: str) -> tuple[Table, list[str]]:
    first_line, rows = sample_lines(name)
    return FORMATS[name].table(first_line, None), rows


def read_as_mapped(name: str, columns: dict[str, object]) -> tuple[Table, list[str]]:
    first_line, rows = sample_lines(name)
    format = mapped(columns, [])
    assert format is not None
    return format.table(first_line, 16), rows


CASES = [(*read_as_itself(name), unit) for name, unit in SAMPLED]
CASES += [(*read_as_mapped(name, columns), "s") for name, columns in MAPPED]
NAMES = [f"{name} {unit}" for name, unit in SAMPLED] + [f"mapped {name}" for name, _ in MAPPED]


def by_line(table: Table, lines: list[str], unit: str) -> Columns:
    rows = [table.row(line, unit) for line in lines]  # type: ignore[arg-type]
    return Columns.of(rows, table.block_tokens, labelled=table.fields.request_class is not None)


def assert_same(columns: Columns, others: Columns) -> None:
    assert columns.labels == others.labels
    for mine, theirs in zip(arrays_in(columns), arrays_in(others), strict=True):
        assert mine.tolist() == theirs.tolist()


def arrays_in(columns: Columns) -> list[np.ndarray]:
    head = columns.head
    of_head = [] if head is None else [head.offsets, head.keys, head.ends]
    return [columns.second, columns.ps, columns.prompt_tokens, columns.output_tokens, *of_head]


@pytest.mark.parametrize(("table", "lines", "unit"), CASES, ids=NAMES)
def test_a_sound_piece_is_read_as_its_lines_are(table, lines, unit):
    assert_same(table.columns(lines, unit), by_line(table, lines, unit))


@pytest.mark.parametrize(("table", "lines", "unit"), CASES, ids=NAMES)
def test_a_piece_is_only_read_at_once_if_each_line_would_be_read_the_same(table, lines, unit):
    draw = random.Random(f"{table.fields} {unit}")
    read = 0
    for _ in range(1500):
        changed = lines[:3]
        where = draw.randrange(3)
        letters = list(changed[where].rstrip("\n"))
        for _ in range(draw.randint(1, 2)):
            at = draw.randrange(len(letters))
            letters[at : at + draw.randint(0, 1)] = draw.choice(LETTERS)
        changed[where] = "".join(letters) + "\n"
        try:
            columns = table.columns(changed, unit)
        except ValueError:
            continue
        read += 1
        try:
            alone = by_line(table, changed, unit)
        except BadRow as bad:
            pytest.fail(f"read at once, refused alone: {changed[where]!r} {bad.faults}")
        assert_same(columns, alone)
    assert read > 50
