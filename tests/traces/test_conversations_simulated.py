"""Recorded conversations simulated: every turn comes to its end, and a cache finds what the trace says there is."""

import numpy as np
import pytest

from policies.round_robin import RoundRobin
from policies.vllm_v1 import VllmV1
from simcore.simulator import Settings
from simcore.simulator.settings import Mechanisms
from simcore.simulator.simulator import Simulator
from tests.property.draw import Flat, Rows
from tests.traces.conversing import S, asked, opened, talk, whole, written
from tests.traces.written import shared
from traces import prefix_hit_share
from traces.conversations import FORMATS

FILES = dict(
    zip(
        FORMATS,
        (
            "kv-cache-tester/traces.jsonl.gz",
            "agentcgroup/llm_calls_glm-4.7-flash.csv.gz",
            "mini-swe-agent/llm_calls_gemini-3-pro_swebench-verified.csv.gz",
            "tracelab/round_trace.jsonl",
            "lrm-token-economy/completions.csv.gz",
        ),
        strict=True,
    )
)

FINISHED = 0
NAMES = (
    *("id", "class", "instance", "state", "arrival", "scheduled", "first", "finished", "prompt", "output"),
    *("preemptions", "cached", "program", "turn"),
)


def simulated(workload):
    """Run with a cache without bounds; an iteration takes a nanosecond and has room for every prompt."""
    settings = Settings(
        instances=1,
        kv_blocks=1 << 40,
        cost=Flat(1000, 0, 0, 0),
        make_router=RoundRobin,
        make_scheduler=lambda: VllmV1(max_num_batched_tokens=1 << 24, max_num_seqs=4096),
        mechanisms=Mechanisms(prefix_cache="cold"),
    )
    sink = Rows([])
    return Simulator(settings, workload, sink).run().counters, sink.kept["requests"]


@pytest.mark.parametrize("format", FORMATS)
def test_every_turn_ends_and_finds_what_the_trace_repeats(format):
    few = {"tracelab": 19, "lrm_token_economy": 200}.get(format, 600)
    workload = opened(shared(FILES[format]), requests=few, rate=0.01)
    counters, rows = simulated(workload)
    assert len(rows) == few
    assert {row[3] for row in rows} == {FINISHED}
    assert counters["prefix_query_tokens"] == whole(workload).prompt_tokens.sum()
    share = counters["prefix_hit_tokens"] / counters["prefix_query_tokens"]
    assert share == prefix_hit_share(workload, block_tokens=16)


def test_turns_arrive_their_gaps_after_each_other_and_conversations_by_rate(tmp_path):
    line = talk(asked(0, [1], out=3), asked(9, [1, 2], think_time=2))
    counters, rows = simulated(opened(written(tmp_path, "kv", [line, line])))
    by_id = {row[0]: dict(zip(NAMES, row, strict=True)) for row in rows}
    assert by_id[0]["arrival"] == 0
    assert by_id[1]["arrival"] == by_id[0]["finished"] + 2 * S
    assert by_id[2]["arrival"] == 1 * S
    assert counters["programs_finished"] == 2


def test_hits_are_those_counted_by_hand(tmp_path):
    # Blocks of 4 tokens in the file, of 16 in the cluster: 8 ids of the first prompt are 2 blocks, 5 are 1.
    ids = list(range(8))
    line = talk(asked(0, ids, tail=3), asked(9, [*ids, 8, 9], think_time=2), asked(20, [*ids[:5], 70], think_time=1))
    counters, rows = simulated(opened(written(tmp_path, "kv", [line])))
    assert [row[NAMES.index("cached")] for row in sorted(rows)] == [0, 32, 16]
    assert counters["prefix_hit_tokens"] == 48
    assert np.sum([row[NAMES.index("prompt")] for row in rows]) == counters["prefix_query_tokens"] == 35 + 40 + 24
