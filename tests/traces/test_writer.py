"""Writers: what of a workload stands in the file, that prefixes are shared as before, and that no half file is left."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.contract.traffic import Arrivals, Heads
from tests.traces.written import azure, mooncake, request, shared, whole
from traces import TraceError, open_trace, prefix_hit_share, programs
from traces.blocks import BlockIds
from traces.csv_writer import write_csv
from traces.mooncake_writer import write_mooncake

Row = tuple[int, list[tuple[int, int]], int]
"""Prompt tokens, segments of the head as (key, end), and the stream, -1: none."""


class Given:
    """A workload of one piece; request i comes at i seconds and generates one token."""

    name = source = "given"
    classes, priorities, tools, patience, rate = ("default",), (0,), (), (), 1.0

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows

    def pieces(self) -> Iterator[Arrivals]:
        parts = [part for _, head, _ in self.rows for part in head]
        n = len(self.rows)
        yield Arrivals(
            np.arange(n) * 10**12,
            np.array([prompt for prompt, _, _ in self.rows]),
            np.ones(n, np.int64),
            stream=np.array([stream for _, _, stream in self.rows]),
            head=Heads(
                np.cumsum([0, *(len(head) for _, head, _ in self.rows)]),
                np.array([key for key, _ in parts], dtype=np.int64),
                np.array([end for _, end in parts], dtype=np.int64),
            ),
        )


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def two_turns(turns: int = 2, gap_s: float = 5.0) -> dict[str, Any]:
    return {
        "turns": {"kind": "fixed", "tokens": turns},
        "think_s": {"kind": "fixed", "seconds": gap_s},
        "first_prompt_tokens": {"kind": "fixed", "tokens": 600},
        "turn_tokens": {"kind": "fixed", "tokens": 30},
        "output_tokens": {"kind": "fixed", "tokens": 100},
    }


def chat(requests: int = 4, gap_s: float = 5.0, **more: object):
    return programs(
        sessions={**two_turns(gap_s=gap_s), **more}, arrivals={"kind": "constant"}, rate=1.0, requests=requests
    )


def test_a_trace_without_sharing_gets_an_id_of_its_own_for_every_block(tmp_path):
    write_mooncake(open_trace(azure(tmp_path, "0,600,7", "1.25,512,9")), tmp_path / "out.jsonl")
    assert rows_of(tmp_path / "out.jsonl") == [
        {"timestamp": 0, "input_length": 600, "output_length": 7, "hash_ids": [0, 1]},
        {"timestamp": 1250, "input_length": 512, "output_length": 9, "hash_ids": [2]},
    ]


def test_times_are_rounded_to_whole_milliseconds_and_the_order_stays(tmp_path):
    written = write_mooncake(
        open_trace(azure(tmp_path, "0,9,9", "0.0004,9,9", "0.0005,9,9", "0.002,9,9")), tmp_path / "out.jsonl"
    )
    assert [row["timestamp"] for row in rows_of(tmp_path / "out.jsonl")] == [0, 0, 1, 2]
    assert written.rounded == 2


@pytest.mark.parametrize("file", ["mooncake/conversation_trace.jsonl.gz", "mooncake/synthetic_trace.jsonl.gz"])
def test_a_published_trace_is_written_as_it_was_published(tmp_path, file):
    source = shared(file)
    write_mooncake(open_trace(source), tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == gzip.decompress(source.read_bytes())


def test_a_trace_read_and_written_twice_stays_what_it_is(tmp_path):
    rows = (request(0, 1024, 5, [7, 9]), request(40, 1100, 6, [7, 9, 3]), request(41, 20, 1, [9]))
    source = open_trace(mooncake(tmp_path, *rows))
    write_mooncake(source, tmp_path / "once.jsonl")
    write_mooncake(open_trace(tmp_path / "once.jsonl"), tmp_path / "twice.jsonl")
    assert (tmp_path / "once.jsonl").read_text() == (tmp_path / "twice.jsonl").read_text()
    assert [row["hash_ids"] for row in rows_of(tmp_path / "once.jsonl")] == [[0, 1], [0, 1, 2], [3]]


@st.composite
def workloads(draw: st.DrawFn) -> list[Row]:
    """Rows whose heads cross block boundaries of any size, and streams that begin behind one head each."""
    heads = draw(
        st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40)), max_size=4), min_size=1, max_size=4)
    )
    rows = []
    for _ in range(draw(st.integers(1, 12))):
        which = draw(st.integers(0, len(heads) - 1))
        end, head = 0, []
        for key, tokens in heads[which][: draw(st.integers(0, 4))]:
            end += tokens
            head.append((key, end))
        rows.append((end + draw(st.integers(0 if end else 1, 60)), head, draw(st.sampled_from([-1, which]))))
    return rows


@settings(max_examples=200, deadline=None)
@given(rows=workloads(), block_tokens=st.sampled_from([1, 4, 16]))
def test_prefixes_are_shared_as_before_on_blocks(rows, block_tokens):
    workload = Given(rows)
    (piece,) = workload.pieces()
    written = list(BlockIds(block_tokens).of(piece))
    assert [len(ids) for ids in written] == [-(-prompt // block_tokens) for prompt, _, _ in rows]
    as_heads = Given(
        [
            (prompt, [(key, min((j + 1) * block_tokens, prompt)) for j, key in enumerate(ids)], -1)
            for (prompt, _, _), ids in zip(rows, written, strict=True)
        ]
    )
    assert prefix_hit_share(as_heads, block_tokens) == prefix_hit_share(workload, block_tokens)


@settings(max_examples=100, deadline=None)
@given(rows=workloads())
def test_an_id_stands_for_one_number_of_tokens_behind_one_beginning(rows):
    (piece,) = Given(rows).pieces()
    seen: dict[int, tuple[int, list[int]]] = {}
    for (prompt, _, _), ids in zip(rows, BlockIds(16).of(piece), strict=True):
        for j, key in enumerate(ids):
            tokens = min(16, prompt - 16 * j)
            assert seen.setdefault(key, (tokens, ids[:j])) == (tokens, ids[:j])


def test_the_share_of_generated_programs_is_kept_but_for_what_they_generate(tmp_path):
    workload = open_trace("chat_sessions", requests=2000)
    write_mooncake(workload, tmp_path / "out.jsonl", tpot_ms=10)
    after = prefix_hit_share(open_trace(tmp_path / "out.jsonl"), 512)
    assert 0 < prefix_hit_share(workload, 512) - after < 0.02


def test_turns_are_refused_unless_somebody_says_how_long_they_take(tmp_path):
    with pytest.raises(TraceError, match=r"request 1 comes after another one has ended.*--sessions.*--tpot-ms"):
        write_mooncake(chat(), tmp_path / "out.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_turns_at_stated_times_come_in_the_order_of_time(tmp_path):
    # Sessions begin at 0 and 1 s; a first turn takes 100 tokens of 10 ms, and the user thinks for 5 s.
    written = write_mooncake(chat(), tmp_path / "out.jsonl", tpot_ms=10)
    rows = rows_of(tmp_path / "out.jsonl")
    assert [row["timestamp"] for row in rows] == [0, 1000, 6000, 7000]
    assert [row["hash_ids"] for row in rows] == [[0, 1], [3, 4], [0, 2], [3, 5]]
    assert written.lost == ("that turns wait for each other",)


def test_sessions_have_delays_and_what_they_add(tmp_path):
    written = write_mooncake(chat(), tmp_path / "out.jsonl", sessions=True)
    first, second, *_ = rows_of(tmp_path / "out.jsonl")
    assert (first["session_id"], first["timestamp"], first["input_length"]) == ("p0", 0, 600)
    assert (second["session_id"], second["delay"], second["input_length"]) == ("p0", 5000, 30)
    assert ("delay" in first, "timestamp" in second) == (False, False)
    assert len(second["hash_ids"]) == 1
    assert written.cut == 0


def test_sessions_are_read_back_as_they_were_but_for_half_a_millisecond(tmp_path):
    source = open_trace("agent_programs", requests=500)
    write_mooncake(source, tmp_path / "out.jsonl", sessions=True)
    before, after = whole(source), whole(open_trace(tmp_path / "out.jsonl"))
    for column in ("prompt_tokens", "output_tokens", "turn"):
        assert (getattr(after, column) == getattr(before, column)).all(), column
    assert before.gap_ps is not None
    assert after.gap_ps is not None
    assert abs(after.gap_ps - before.gap_ps).max() <= 10**9 // 2


def test_a_turn_that_holds_less_than_the_one_before_is_counted(tmp_path):
    class Forgetful:
        """A program whose second prompt is shorter than its first."""

        name = source = "forgetful"
        classes, priorities, tools, patience, rate = ("default",), (0,), (), (), 1.0

        def pieces(self):
            zero = np.zeros(2, np.int64)
            turn = np.array([0, 1])
            yield Arrivals(zero, np.array([900, 400]), turn + 5, program=zero, turn=turn, gap_ps=zero)

    written = write_mooncake(Forgetful(), tmp_path / "out.jsonl", sessions=True)
    assert written.cut == 1
    assert rows_of(tmp_path / "out.jsonl")[1]["input_length"] == 1
    # The server is sent 900 + 5 + 1 tokens where the second prompt had 400.
    assert (written.prompt_tokens, written.longer_tokens) == (1300, 506)


def test_what_the_format_has_no_words_for_is_said(tmp_path):
    written = write_mooncake(open_trace("agent_programs", requests=5), tmp_path / "out.jsonl", sessions=True)
    assert written.lost == ("names of tools",)
    written = write_csv(open_trace("rollout_groups", requests=16), tmp_path / "out.csv", tpot_ms=20)
    assert written.lost == ("which requests are of one group", "shared prefixes")
    written = write_csv(open_trace("chat_sessions", requests=5), tmp_path / "chat.csv", tpot_ms=20)
    assert written.lost == ("shared prefixes", "that turns wait for each other")


def test_a_table_is_read_back_exactly(tmp_path):
    source = open_trace("azure_code_2023", requests=3000)
    write_csv(source, tmp_path / "out.csv")
    before, after = whole(source), whole(open_trace(tmp_path / "out.csv"))
    assert (after.at_ps == before.at_ps).all()
    assert (after.prompt_tokens == before.prompt_tokens).all()
    assert (after.output_tokens == before.output_tokens).all()


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz", "out.jsonl.zst"])
def test_a_compressed_file_is_read_back_and_is_the_same_bytes_every_time(tmp_path, name):
    source = open_trace("azure_conv_2023", requests=500)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_mooncake(source, tmp_path / folder / name)
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert whole(open_trace(tmp_path / "a" / name)).prompt_tokens.sum() == whole(source).prompt_tokens.sum()


def test_a_writer_that_fails_leaves_what_was_there(tmp_path):
    class Breaks:
        name = source = "breaks"
        classes, priorities, tools, patience, rate = ("default",), (0,), (), (), 1.0

        def pieces(self):
            one = np.array([5])
            yield Arrivals(np.zeros(1, np.int64), one, one)
            raise KeyboardInterrupt

    (tmp_path / "out.jsonl").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_mooncake(Breaks(), tmp_path / "out.jsonl", overwrite=True)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("out.jsonl", "old")]


def test_a_file_that_is_there_and_a_folder_that_is_not_are_refused(tmp_path):
    source = open_trace("azure_conv_2023", requests=5)
    (tmp_path / "out.jsonl").write_text("mine")
    with pytest.raises(TraceError, match=r"out\.jsonl: exists; --force writes over it"):
        write_mooncake(source, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text() == "mine"
    with pytest.raises(TraceError, match=r"there is no folder .*/none"):
        write_mooncake(source, tmp_path / "none" / "out.jsonl")
    with pytest.raises(TraceError, match="is a folder; name a file"):
        write_mooncake(source, tmp_path)


def test_a_block_holds_at_least_one_token(tmp_path):
    with pytest.raises(ValueError, match="block_tokens: must be >= 1, got 0"):
        write_mooncake(open_trace("azure_conv_2023", requests=5), tmp_path / "out.jsonl", block_tokens=0)
