"""The fast road: what a format reads a piece at a time is what it reads line by line, whatever is in the lines."""

import random

import pytest

from tests.traces.written import SAMPLES
from traces.formats import FORMATS, BadRow

LETTERS = '0123456789.,:-+ eEZT"[]{}\t\u0663nrtau_\n'
FILES = [
    ("azure", "azure_sample.csv", "s"),
    ("azure", "azure_sample.csv", "ms"),
    ("mooncake", "mooncake_sample.jsonl", "ms"),
]


def sample_lines(name: str) -> list[str]:
    with (SAMPLES / name).open(newline="") as file:
        return [line for line in file if not line.startswith("TIMESTAMP")]


@pytest.mark.parametrize(("name", "file", "unit"), FILES)
def test_a_sound_piece_is_read_as_its_lines_are(name, file, unit):
    lines = sample_lines(file)
    columns = FORMATS[name].columns(lines, unit)
    by_line = [FORMATS[name].row(line, unit) for line in lines]
    assert list(zip(columns.second, columns.ps, columns.prompt_tokens, columns.output_tokens, strict=True)) == by_line


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
            row = FORMATS[name].row(changed[where], unit)
        except BadRow as bad:
            pytest.fail(f"read at once, refused alone: {changed[where]!r} {bad.faults}")
        assert row == tuple(
            int(column[where]) for column in (columns.second, columns.ps, columns.prompt_tokens, columns.output_tokens)
        ), changed[where]
    assert read > 100
