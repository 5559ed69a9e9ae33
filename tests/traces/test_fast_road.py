"""The fast road: what a format reads a piece at a time is what it reads line by line, whatever is in the lines."""

import random

import numpy as np
import pytest

from tests.traces.written import SAMPLES
from traces.formats import FORMATS, BadRow, Columns

LETTERS = '0123456789.,:-+ eEZT"[]{}\t\u0663nrtau_\n'
FILES = [
    ("azure", "azure_sample.csv", "s"),
    ("azure", "azure_sample.csv", "ms"),
    ("mooncake", "mooncake_sample.jsonl", "ms"),
]


def sample_lines(name: str) -> list[str]:
    with (SAMPLES / name).open(newline="") as file:
        return [line for line in file if not line.startswith("TIMESTAMP")]


def assert_same(columns: Columns, others: Columns) -> None:
    for mine, theirs in zip(arrays_in(columns), arrays_in(others), strict=True):
        assert mine.tolist() == theirs.tolist()


def arrays_in(columns: Columns) -> list[np.ndarray]:
    head = columns.head
    of_head = [] if head is None else [head.offsets, head.keys, head.ends]
    return [columns.second, columns.ps, columns.prompt_tokens, columns.output_tokens, *of_head]


@pytest.mark.parametrize(("name", "file", "unit"), FILES)
def test_a_sound_piece_is_read_as_its_lines_are(name, file, unit):
    lines = sample_lines(file)
    format = FORMATS[name]
    by_line = [format.row(line, unit) for line in lines]
    assert_same(format.columns(lines, unit), Columns.of(by_line, format.block_tokens))


@pytest.mark.parametrize(("name", "file", "unit"), FILES)
def test_a_piece_is_only_read_at_once_if_each_line_would_be_read_the_same(name, file, unit):
    draw = random.Random(f"{name} {unit}")
    lines = sample_lines(file)[:3]
    read = 0
    for _ in range(3000):
        changed = list(lines)
        where = draw.randrange(3)
        letters = list(changed[where].rstrip("\n"))
        for _ in range(draw.randint(1, 2)):
            at = draw.randrange(len(letters))
            letters[at : at + draw.randint(0, 1)] = draw.choice(LETTERS)
        changed[where] = "".join(letters) + "\n"
        try:
            columns = FORMATS[name].columns(changed, unit)
        except ValueError:
            continue
        read += 1
        try:
            by_line = [FORMATS[name].row(line, unit) for line in changed]
        except BadRow as bad:
            pytest.fail(f"read at once, refused alone: {changed[where]!r} {bad.faults}")
        assert_same(columns, Columns.of(by_line, FORMATS[name].block_tokens))
    assert read > 100
