"""Sharing: what a prefix cache without bounds would find, counted by hand, and in the public traces."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from simcore.contract.traffic import Arrivals, Heads
from tests.traces.written import mooncake, request, shared
from traces import open_trace, prefix_hit_share


class Given:
    """A workload of one piece, from (prompt, output, segments, stream)."""

    name = source = "given"
    classes, priorities, tools, patience, rate = ("default",), (0,), (), (), 1.0

    def __init__(self, *rows: tuple[int, int, list[tuple[int, int]], int]) -> None:
        self.rows = rows

    def pieces(self) -> Iterator[Arrivals]:
        def column(values: Any) -> np.ndarray:
            return np.array(list(values), dtype=np.int64)

        parts = [segment for _, _, segments, _ in self.rows for segment in segments]
        offsets = np.cumsum([0, *(len(segments) for _, _, segments, _ in self.rows)])
        yield Arrivals(
            column(0 for _ in self.rows),
            column(prompt for prompt, _, _, _ in self.rows),
            column(output for _, output, _, _ in self.rows),
            stream=column(stream for _, _, _, stream in self.rows),
            head=Heads(offsets, column(key for key, _ in parts), column(end for _, end in parts)),
        )


def test_equal_leading_ids_are_found_and_equal_later_ones_are_not(tmp_path):
    rows = (request(0, 1024, 1, [1, 2]), request(1, 1024, 1, [1, 3]), request(2, 1024, 1, [4, 2]))
    assert prefix_hit_share(open_trace(mooncake(tmp_path, *rows))) == 512 / 3072


def test_the_last_token_of_a_prompt_seen_before_is_computed(tmp_path):
    twice = open_trace(mooncake(tmp_path, request(0, 64, 1, [1]), request(1, 64, 1, [1])))
    assert prefix_hit_share(twice, 1) == 63 / 128
    assert prefix_hit_share(twice, 16) == 48 / 128
    assert prefix_hit_share(twice, 512) == 0


def test_only_whole_blocks_are_found():
    assert prefix_hit_share(Given((100, 1, [(5, 40)], -1), (100, 1, [(5, 40)], -1)), 16) == 32 / 200


def test_a_stream_is_found_as_far_as_its_kv_stood():
    # 20 + 13 tokens, of which 32 have KV: two blocks of the next prompt.
    assert prefix_hit_share(Given((20, 13, [], 0), (80, 1, [], 0)), 16) == 32 / 100
    assert prefix_hit_share(Given((20, 12, [], 0), (80, 1, [], 0)), 16) == 16 / 100


def test_a_stream_behind_another_head_is_other_tokens():
    assert prefix_hit_share(Given((32, 9, [(1, 16)], 0), (32, 9, [(2, 16)], 0)), 16) == 0
    assert prefix_hit_share(Given((33, 9, [(1, 16)], 0), (33, 9, [(1, 16)], 0)), 16) == 32 / 66


def test_requests_without_heads_and_streams_share_nothing():
    assert prefix_hit_share(open_trace("azure_conv_2023", requests=100)) == 0


def test_a_block_holds_at_least_one_token():
    with pytest.raises(ValueError, match="block_tokens: must be >= 1, got 0"):
        prefix_hit_share(open_trace("azure_conv_2023", requests=1), 0)


@pytest.mark.parametrize(
    ("file", "by_token", "by_16", "by_512"),
    [
        ("mooncake/conversation_trace.jsonl.gz", 0.35765, 0.35765, 0.35748),
        ("mooncake/synthetic_trace.jsonl.gz", 0.65124, 0.65121, 0.65043),
    ],
)
def test_the_published_traces_share_what_their_description_says(file, by_token, by_16, by_512):
    trace = open_trace(shared(file))
    found = [prefix_hit_share(trace, block_tokens) for block_tokens in (1, 16, 512)]
    assert found == pytest.approx([by_token, by_16, by_512], abs=5e-6)
