"""Mooncake JSONL: milliseconds, lengths, and hash ids that fit the prompt."""

import json

import pytest

from tests.traces.written import SAMPLES, mooncake, request, whole
from traces import open_trace


def test_timestamps_are_milliseconds_from_the_first_row(tmp_path):
    trace = whole(open_trace(mooncake(tmp_path, request(3000, 6758, 500), request(3040, 512, 1))))
    assert trace.at_ps.tolist() == [0, 40_000_000_000]
    assert trace.prompt_tokens.tolist() == [6758, 512]
    assert trace.output_tokens.tolist() == [500, 1]


def test_fractions_of_a_millisecond_are_exact(tmp_path):
    rows = (request(0), request(0).replace('"timestamp": 0', '"timestamp": 0.123456789'))
    assert whole(open_trace(mooncake(tmp_path, *rows))).at_ps.tolist() == [0, 123_456_789]


def test_a_named_time_unit_wins(tmp_path):
    path = mooncake(tmp_path, request(0), request(3))
    assert whole(open_trace(path, time_unit="s")).at_ps.tolist() == [0, 3 * 10**12]


@pytest.mark.parametrize(("prompt", "blocks"), [(1, 1), (512, 1), (513, 2), (1024, 2)])
def test_a_partial_last_block_has_an_id(tmp_path, prompt, blocks):
    row = request(0, prompt, 10, list(range(blocks)))
    assert open_trace(mooncake(tmp_path, row)).requests == 1


def test_compact_json_and_other_key_orders_are_the_same(tmp_path):
    value = json.loads(request(5, 600))
    compact = json.dumps(dict(reversed(value.items())), separators=(",", ":"))
    assert whole(open_trace(mooncake(tmp_path, compact))).prompt_tokens.tolist() == [600]


def test_the_sample_is_read():
    sample = open_trace(SAMPLES / "mooncake_sample.jsonl")
    assert sample.requests == 100
    assert whole(sample).at_ps[-1] == 37_018 * 10**9
