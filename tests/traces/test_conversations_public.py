"""Recorded conversations as published: every row is read, and what was written about the files is found in them."""

import csv
import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest

from simcore.contract.traffic import Arrivals, Heads
from tests.traces.conversing import opened, whole
from tests.traces.written import shared
from traces import prefix_hit_share
from traces.conversations import open_conversations

CODING = "kv-cache-tester/traces.jsonl.gz"
AGENTS = "agentcgroup/llm_calls_glm-4.7-flash.csv.gz"
TOOLS = "agentcgroup/tool_calls_glm-4.7-flash.csv.gz"
SOLVERS = "mini-swe-agent/llm_calls_gemini-3-pro_swebench-verified.csv.gz"
ROUNDS = "tracelab/round_trace.jsonl"
ANSWERS = "lrm-token-economy/completions.csv.gz"
BEHIND_IDS = re.compile(
    r'"input_types":\[([^\]]*)\],"output_types":\[[^\]]*\],"stop":"[^"]*"'
    r'(?:,"api_time":[\d.]+)?(?:,"ttft":[\d.]+)?(?:,"think_time":([\d.]+))?'
)


def table(name):
    with gzip.open(shared(name), "rt") as text:
        return list(csv.DictReader(text))


def column(rows, name):
    return np.array([int(row[name]) for row in rows if row[name]])


def four_figures(values):
    """Return mean, p50, p90, p99 and maximum, rounded as the published ones are."""
    found = [np.mean(values), *np.quantile(values, [0.5, 0.9, 0.99, 1.0])]
    return [float(f"{value:.4g}") for value in found]


def turns_of(requests):
    return np.bincount(requests.program)


def turn_figures(requests):
    """Return mean, p50, p90 and maximum of the turns of a program."""
    turns = turns_of(requests)
    return [round(float(np.mean(turns)), 1), *map(round, np.quantile(turns, [0.5, 0.9, 1.0]).tolist())]


@dataclass
class Apart:
    """A workload whose programs share nothing with each other."""

    requests: Any

    def pieces(self) -> Iterator[Arrivals]:
        head = self.requests.head
        owner = np.repeat(self.requests.program, np.diff(head.offsets))
        _, keys = np.unique(np.stack([owner, head.keys]), axis=1, return_inverse=True)
        yield replace(self.requests, head=Heads(head.offsets, keys.reshape(-1), head.ends))


# -- coding conversations -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def coding():
    return opened(shared(CODING))


@pytest.fixture(scope="module")
def coding_turns(coding):
    return whole(coding)


def test_the_coding_conversations_are_read_to_the_last_token(coding, coding_turns):
    # Each line ends with totals of its own, which nothing here is made from.
    prompts = outputs = lines = 0
    with gzip.open(shared(CODING), "rt") as text:
        for line in text:
            totals = json.loads(line[line.rindex('"totals":') + 9 : line.rindex("}")])["combined_tokens"]
            prompts, outputs, lines = prompts + totals["input"], outputs + totals["output"], lines + 1
    assert coding.requests == len(coding_turns) == 31_181
    assert coding_turns.program[-1] + 1 == lines == 486
    assert coding_turns.prompt_tokens.sum() == prompts
    assert coding_turns.output_tokens.sum() == outputs + 23
    assert coding.source.endswith("; 23 answers of 0 tokens read as 1 token")


def test_the_first_coding_conversations_are_read_as_they_stand(coding_turns):
    with gzip.open(shared(CODING), "rt") as text:
        lines = [json.loads(line) for line in islice(text, 20)]
    requests = [each for line in lines for outer in line["requests"] for each in outer.get("requests", [outer])]
    n = len(requests)
    assert coding_turns.prompt_tokens[:n].tolist() == [each["in"] for each in requests]
    assert coding_turns.output_tokens[:n].tolist() == [max(1, each["out"]) for each in requests]
    assert (coding_turns.tool[:n] >= 0).tolist() == [each["stop"] == "tool_use" for each in requests]
    # What two neighbours share in whole blocks is what their ids say, and no more.
    ids = [each["hash_ids"] for each in requests]
    for row in np.flatnonzero(coding_turns.turn[1:n]).tolist():
        assert together(segments(coding_turns, row), segments(coding_turns, row + 1)) == 64 * equal(*ids[row : row + 2])


def segments(requests, row):
    head = requests.head
    of_row = slice(head.offsets[row], head.offsets[row + 1])
    return list(zip(head.keys[of_row].tolist(), head.ends[of_row].tolist(), strict=True))


def together(one, other):
    """Return the tokens that two prompts of these segments have in common."""
    start = 0
    for (key, end), (other_key, other_end) in zip(one, other, strict=False):
        if key != other_key:
            return start
        start = min(end, other_end)
        if end != other_end:
            return start
    return start


def equal(one, other):
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def test_the_published_lengths_and_turns_of_coding_conversations_are_found(coding_turns):
    assert four_figures(coding_turns.prompt_tokens) == [121_400, 100_800, 218_600, 516_600, 894_400]
    assert four_figures(coding_turns.output_tokens) == [433.1, 218, 866, 3_624, 18_200]
    assert four_figures(turns_of(coding_turns)) == pytest.approx([64, 43.5, 146, 290, 561], abs=0.5)


def test_coding_conversations_find_in_themselves_what_their_ids_say(coding, coding_turns):
    alone: Any = Apart(coding_turns)
    assert prefix_hit_share(alone, 1) == pytest.approx(0.9631, abs=5e-5)
    # Across conversations they find tool definitions and system prompts too.
    assert prefix_hit_share(coding, 1) == pytest.approx(0.9645, abs=5e-5)


def test_the_published_waits_of_coding_conversations_are_found(coding_turns):
    # Read again by what stands behind the ids of each request, in the order of the file.
    kinds, thought = [], []
    with gzip.open(shared(CODING), "rt") as text:
        for line in text:
            for types, seconds in BEHIND_IDS.findall(line):
                kinds.append(types)
                thought.append(float(seconds or "nan"))
    think_s, gaps_s = np.array(thought), coding_turns.gap_ps / 1e12
    as_written = gaps_s == think_s
    later = (coding_turns.turn > 0) & ~np.isnan(think_s)
    # Not so: the first turns of nested conversations, and those that waited for them.
    assert (later & ~as_written).sum() == 48
    for kind, n, published in (
        ('"tool_result"', 25_670, [42.7, 8, 66, 608, 27_010]),
        ('"text"', 4_534, [523, 117, 1_215, 6_542, 38_080]),
    ):
        waits = gaps_s[later & (np.array(kinds) == kind)]
        assert len(waits) == pytest.approx(n, abs=43)
        assert four_figures(waits)[:4] == pytest.approx(published[:4], rel=0.03)


# -- agents -------------------------------------------------------------------------------------------------


def test_agent_runs_are_read_to_the_last_token():
    workload, rows = opened(shared(AGENTS)), table(AGENTS)
    drawn = whole(workload)
    assert drawn.prompt_tokens.tolist() == column(rows, "input_tokens").tolist()
    assert drawn.output_tokens.tolist() == column(rows, "output_tokens").tolist()
    assert (len(drawn), len(turns_of(drawn))) == (5_641, 111)
    assert four_figures(drawn.prompt_tokens) == [44_790, 42_140, 73_070, 100_900, 127_300]
    assert four_figures(drawn.output_tokens) == [258.1, 144, 601, 1_404, 8_977]
    assert turn_figures(drawn) == [50.8, 46, 92, 145]


def test_agent_runs_wait_for_the_tools_of_the_table_beside_them():
    workload, rows = opened(shared(AGENTS)), table(AGENTS)
    drawn = whole(workload)
    ends = {}
    for call in table(TOOLS):
        if call["step"]:
            of_step = ends.setdefault((call["session"], call["step"]), [])
            of_step.append((float(call["end_s"]), call["tool"]))
    agree = 0
    for row, (before, after) in enumerate(pairwise(rows)):
        called = ends.get((before["session"], before["step"]))
        assert (drawn.tool[row] >= 0) == (called is not None)
        if called and before["session"] == after["session"]:
            end_s, tool = max(called, key=lambda each: each[0])
            assert workload.tools[drawn.tool[row]] == tool
            agree += drawn.gap_ps[row + 1] == round((end_s - float(before["response_s"])) * 1000) * 10**9
    assert agree == 5_519  # the other tool went on beside the next call
    served_s = sum(float(row["response_s"]) - float(row["request_s"]) for row in rows)
    waited_s = drawn.gap_ps.sum() / 1e12
    assert waited_s / (waited_s + served_s) == pytest.approx(0.37, abs=0.02)


def test_agents_of_a_benchmark_are_read_to_the_last_token():
    workload, rows = opened(shared(SOLVERS)), table(SOLVERS)
    drawn = whole(workload)
    assert drawn.prompt_tokens.tolist() == column(rows, "prompt_tokens").tolist()
    assert drawn.output_tokens.tolist() == column(rows, "completion_tokens").tolist()
    assert (len(drawn), len(turns_of(drawn))) == (20_163, 500)
    assert four_figures(drawn.prompt_tokens) == [16_520, 13_990, 31_300, 62_370, 106_500]
    assert four_figures(drawn.output_tokens) == [275.6, 89, 681, 2_423, 65_540]
    assert turn_figures(drawn) == [40.3, 36, 66, 145]
    assert four_figures(drawn.gap_ps[drawn.turn > 0] / 1e12) == [6.871, 4, 13, 43, 600]


def test_agents_of_a_benchmark_start_as_far_apart_as_they_did():
    workload, rows = open_conversations(shared(SOLVERS)), table(SOLVERS)
    drawn = whole(workload)
    starts = np.sort(np.array([int(row["created"]) for row in rows if row["step"] == "0"]))
    assert (drawn.at_ps[drawn.turn == 0] // 10**12).tolist() == (starts - starts[0]).tolist()
    assert drawn.prompt_tokens.sum() == column(rows, "prompt_tokens").sum()


def test_histories_are_found_whole_where_providers_found_less():
    # The provider found 83.8% of these prompts; nothing but its own cache kept it from finding what they repeat.
    rows = table(SOLVERS)
    reported = column(rows, "cached_tokens").sum() / column(rows, "prompt_tokens").sum()
    assert reported == pytest.approx(0.838, abs=5e-4)
    assert prefix_hit_share(opened(shared(SOLVERS)), 16) == pytest.approx(0.979, abs=5e-4)
    assert prefix_hit_share(opened(shared(AGENTS)), 16) == pytest.approx(0.980, abs=5e-4)


def test_the_example_rounds_are_read():
    with shared(ROUNDS).open() as text:
        rows = [json.loads(line) for line in text]
    workload = open_conversations(shared(ROUNDS))
    drawn = whole(workload)
    assert sorted(drawn.prompt_tokens.tolist()) == sorted(row["input_tokens_total"] for row in rows)
    assert drawn.output_tokens.sum() == sum(row["output_tokens"] for row in rows)
    assert turns_of(drawn).tolist() in ([10, 9], [9, 10])
    # A wait for a tool is that tool's time, to the tenth of a second.
    (web,) = np.flatnonzero(drawn.prompt_tokens == 35_740)
    assert drawn.gap_ps[web] / 1e12 == pytest.approx(19.291, abs=0.05)


# -- groups of answers --------------------------------------------------------------------------------------


def test_groups_of_answers_are_read_to_the_last_token():
    drawn = whole(opened(shared(ANSWERS)))
    tokens = column(table(ANSWERS), "tokens_completion")
    assert drawn.output_tokens.tolist() == tokens[tokens > 0].tolist()
    assert four_figures(drawn.output_tokens) == [3_644, 1_686, 10_380, 22_120, 30_000]
    sizes = np.bincount(drawn.group)
    assert (len(drawn), sizes.tolist().count(5), sizes.tolist().count(3)) == (1_839, 366, 3)


def test_answers_to_one_prompt_differ_as_published():
    drawn = whole(opened(shared(ANSWERS)))
    groups = [drawn.output_tokens[drawn.group == group] for group in range(drawn.group[-1] + 1)]
    full = [group for group in groups if len(group) >= 4]
    variation = [group.std(ddof=1) / group.mean() for group in full]
    assert [round(float(value), 3) for value in (np.mean(variation), *np.quantile(variation, [0.5, 0.9, 0.99]))] == [
        *(0.285, 0.239, 0.537, 0.886)
    ]
    assert np.mean([group.max() / group.mean() for group in full]) == pytest.approx(1.40, abs=0.005)
