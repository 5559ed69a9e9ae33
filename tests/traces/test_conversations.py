"""Recorded conversations: what each public format says becomes turns, gaps, tools, and prompts that share."""

from itertools import pairwise

import pytest

from simcore.contract import Workload
from tests.traces.conversing import (
    S,
    a_round,
    answers,
    asked,
    calls,
    opened,
    rounds,
    steps,
    talk,
    whole,
    written,
)
from traces import prefix_hit_share
from traces.conversations import FORMATS, format_of, open_conversations


def heads_of(requests):
    """Return each prompt's segments."""
    offsets, head = requests.head.offsets.tolist(), requests.head
    segments = list(zip(head.keys.tolist(), head.ends.tolist(), strict=True))
    return [segments[start:end] for start, end in pairwise(offsets)]


# -- kv-cache-tester ----------------------------------------------------------------------------------------


def test_turns_of_a_coding_conversation_share_the_blocks_their_ids_name(tmp_path):
    line = talk(asked(0, [1, 2], tail=3), asked(9, [1, 2, 3], think_time=2.5), asked(20, [1, 7], think_time=0))
    workload: Workload = opened(written(tmp_path, "kv", [line]))
    drawn = whole(workload)
    assert drawn.prompt_tokens.tolist() == [11, 12, 8]
    assert drawn.gap_ps.tolist() == [0, 2_500_000_000_000, 0]
    (long,), (longer,), (same, other) = heads_of(drawn)
    assert (long[1], longer[1], same[1], other[1]) == (8, 12, 4, 8)
    assert long[0] == longer[0] == same[0] != other[0]
    assert prefix_hit_share(workload, 1) == (8 + 4) / 31


def test_what_a_coding_conversation_generates_is_found_by_nobody(tmp_path):
    alike = opened(written(tmp_path, "kv", [talk(asked(0, [1], out=9), asked(9, [1, 2, 3]))]))
    assert whole(alike).stream.tolist() == [-1, -1]
    assert prefix_hit_share(alike, 1) == 4 / 16


def test_conversations_with_equal_tools_share_them_and_ids_stay_their_own(tmp_path):
    lines = [
        talk(asked(0, [1, 2]), tools=3, system=2),
        talk(asked(0, [1, 2]), tools=3, system=2),
        talk(asked(0, [1, 2]), tools=3, system=4),
        talk(asked(0, [1, 2]), tools=2, system=3),
    ]
    workload = opened(written(tmp_path, "kv", lines))
    ends = [[end for _, end in head] for head in heads_of(whole(workload))]
    assert ends == [[3, 5, 8], [3, 5, 8], [3, 7, 8], [2, 5, 8]]
    assert prefix_hit_share(workload, 1) == (5 + 3) / 32


def test_only_prompts_that_begin_as_the_first_one_hold_its_tools(tmp_path):
    line = talk(asked(0, [1, 2]), asked(1, [9, 2]), asked(2, [1, 3]), tools=6)
    first, other, forked = heads_of(whole(opened(written(tmp_path, "kv", [line]))))
    assert [end for _, end in first] == [6, 8]
    assert [end for _, end in other] == [8]
    # It leaves the first prompt after one block, within the tools: so much of them it has.
    assert [end for _, end in forked] == [4, 8]
    assert forked[0][0] == first[0][0]


def test_without_a_think_time_the_gap_is_from_the_end_of_the_turn_before(tmp_path):
    line = talk(asked(0, [1], api_time=3), asked(10, [1]), asked(11, [1], api_time=4), asked(12, [1]))
    assert whole(opened(written(tmp_path, "kv", [line]))).gap_ps.tolist() == [0, 7 * S, 1 * S, 0]


def test_a_nested_conversation_is_turns_where_it_stands_and_its_parent_waits_for_it(tmp_path):
    def nested(t, lasted_ms, *requests):
        kind = {"t": t, "type": "subagent", "duration_ms": lasted_ms, "tool_tokens": 2, "system_tokens": 1}
        return kind | {"requests": list(requests)}

    line = talk(
        asked(0, [1], api_time=4, stop="tool_use"),
        nested(30, 20_000, asked(0, [5], api_time=3), asked(9, [5, 6], think_time=6)),
        nested(40, 30_000, asked(0, [8])),
        asked(43, [1, 2], think_time=39),
        tools=3,
    )
    drawn = whole(opened(written(tmp_path, "kv", [line])))
    assert drawn.program.tolist() == [0] * 5
    assert drawn.turn.tolist() == [0, 1, 2, 3, 4]
    # It began at 30 - 20 s, 6 s after its parent's turn; the other ran beside it; the parent came 3 s after both.
    assert drawn.gap_ps.tolist() == [0, 6 * S, 6 * S, 0, 3 * S]
    assert drawn.tool.tolist() == [0, -1, -1, -1, -1]
    ends = [[end for _, end in head] for head in heads_of(drawn)]
    assert ends == [[3, 4], [2, 3, 4], [2, 3, 8], [2, 3, 4], [3, 8]]


def test_an_answer_of_no_tokens_is_read_as_one_token_and_said(tmp_path):
    workload = opened(written(tmp_path, "kv", [talk(asked(0, [1], out=0))]))
    assert whole(workload).output_tokens.tolist() == [1]
    assert workload.source.endswith("; 1 answers of 0 tokens read as 1 token")


def test_a_last_block_may_have_an_id_of_its_own(tmp_path):
    line = talk(asked(0, [1, 2]) | {"in": 7}, asked(1, [1, 2]) | {"in": 8})
    assert prefix_hit_share(opened(written(tmp_path, "kv", [line])), 1) == 7 / 15


# -- AgentCgroup --------------------------------------------------------------------------------------------


RUN = ("a,0,m,0,0.0,7.368,100,30,1", "a,1,m,0,9.5,11,150,20,2", "a,2,m,0,31,32,180,5,0", "b,0,m,0,0,1,90,3,0")


def test_an_agent_run_waits_for_its_tools_and_ends_turns_in_the_last_of_them(tmp_path):
    tools = ("z,0,0,Bash,1,2,1", "a,0,0,Read,7.4,9.5,2", "a,1,1,Bash,11,31,20", "a,2,1,Grep,11,12,1", "a,3,,Bash,0,1,1")
    workload = opened(calls(tmp_path, *RUN, tools=tools))
    drawn = whole(workload)
    assert drawn.gap_ps.tolist() == [0, 2_132_000_000_000, 20 * S, 0]
    assert [workload.tools[tool] if tool >= 0 else "" for tool in drawn.tool] == ["Read", "Bash", "", ""]
    assert drawn.program.tolist() == [0, 0, 0, 1]


def test_without_a_tool_table_the_gaps_are_the_same(tmp_path):
    workload = opened(calls(tmp_path, *RUN))
    assert whole(workload).gap_ps.tolist() == [0, 2_132_000_000_000, 20 * S, 0]
    assert (workload.tools, whole(workload).tool) == ((), None)


def test_the_prompts_of_a_run_extend_each_other_with_their_answers(tmp_path):
    # 129 tokens have KV when the first has ended, 169 when the second has.
    assert prefix_hit_share(opened(calls(tmp_path, *RUN)), 1) == (129 + 169) / 520


def test_a_nested_agent_has_a_history_of_its_own(tmp_path):
    rows = ("a,0,m,0,0,1,100,10,1", "a,1,m,1,2,3,60,10,1", "a,2,m,1,4,5,80,10,0", "a,3,m,0,6,7,140,10,0")
    drawn = whole(opened(calls(tmp_path, *rows)))
    assert drawn.stream.tolist() == [0, 1, 1, 0]
    assert drawn.program.tolist() == [0] * 4


def test_a_history_cut_to_less_than_half_begins_anew(tmp_path):
    rows = ("a,0,m,0,0,1,100,10,1", "a,1,m,0,2,3,49,10,1", "a,2,m,0,4,5,60,10,0")
    workload = opened(calls(tmp_path, *rows))
    assert whole(workload).stream.tolist() == [0, 1, 1]
    assert prefix_hit_share(workload, 1) == 58 / 209


# -- mini-SWE-agent -----------------------------------------------------------------------------------------


def test_runs_start_when_they_did_and_gaps_hold_the_model_s_time(tmp_path):
    rows = ("b,0,110,20,0,5,0,7", "b,1,117,30,9,0,0,7", "a,0,100,10,0,5,0,7", "a,1,100,20,0,5,0,7")
    workload = open_conversations(steps(tmp_path, *rows))
    drawn = whole(workload)
    assert drawn.at_ps.tolist() == [0, 0, 10 * S, 10 * S]
    assert drawn.prompt_tokens.tolist() == [10, 20, 20, 30]
    assert drawn.gap_ps.tolist() == [0, 0, 0, 7 * S]
    assert drawn.output_tokens.tolist() == [5, 5, 5, 1]
    assert (workload.rate, workload.lasts_s, workload.tools) == (0.1, 10.0, ("bash",))


def test_a_rate_moves_the_starts_and_nothing_else(tmp_path):
    rows = ("a,0,100,10,0,5,0,7", "b,0,110,20,0,5,0,7", "b,1,117,30,0,5,0,7")
    twice = open_conversations(steps(tmp_path, *rows), rate=0.2)
    assert whole(twice).at_ps.tolist() == [0, 5 * S, 5 * S]
    assert whole(twice).gap_ps.tolist() == [0, 0, 7 * S]
    assert (twice.rate, twice.lasts_s) == (0.2, 5.0)


def test_equal_prompts_are_one_history(tmp_path):
    drawn = whole(open_conversations(steps(tmp_path, "a,0,100,10,0,5,0,7", "a,1,101,10,0,5,0,7")))
    assert drawn.stream.tolist() == [0, 0]


# -- TraceLab -----------------------------------------------------------------------------------------------


def test_a_round_waits_from_the_last_output_to_the_last_input(tmp_path):
    first = a_round(
        *(0, 100, 20),
        [("user_message", "01.000"), ("text", "04.000"), ("tool_call", "05.000")],
        tools=[
            {"tool_name": "WebSearch", "result_at": "2026-06-01T05:40:09Z"},
            {"tool_name": "Bash", "result_at": "2026-06-01T05:40:06Z"},
        ],
    )
    second = a_round(1, 130, 5, [("tool_result", "06.000"), ("tool_result", "09.250"), ("text", "12.000")])
    later = a_round(0, 50, 5, [("user_message", "31.000")], session_id="s2")
    workload = open_conversations(rounds(tmp_path, first, second, later))
    drawn = whole(workload)
    assert drawn.gap_ps.tolist() == [0, 4_250_000_000_000, 0]
    assert drawn.at_ps.tolist() == [0, 0, 30 * S]
    assert [workload.tools[tool] if tool >= 0 else "" for tool in drawn.tool] == ["WebSearch", "", ""]


# -- LRMTokenEconomy ----------------------------------------------------------------------------------------


def test_answers_to_one_prompt_arrive_together_and_share_it(tmp_path):
    rows = ("b,p,m,0,71,64,stop", "b,p,m,1,7,0,stop", "b,p,n,0,5,0,", "c,p,n,0,6,0,")
    workload = opened(answers(tmp_path, *rows), prompt_tokens={"kind": "fixed", "tokens": 33})
    drawn = whole(workload)
    assert drawn.group.tolist() == [0, 0, 1, 2]
    assert drawn.at_ps.tolist() == [0, 0, 1 * S, 2 * S]
    assert drawn.prompt_tokens.tolist() == [33] * 4
    assert drawn.output_tokens.tolist() == [71, 7, 5, 6]
    assert (drawn.program, drawn.stream) == (None, None)
    assert prefix_hit_share(workload, 16) == 32 / 132


def test_a_prompt_nobody_measured_is_said_to_be_assumed(tmp_path):
    workload = opened(answers(tmp_path, "b,p,m,0,71,64,stop"))
    assert whole(workload).prompt_tokens.tolist() == [128]
    assert workload.source.endswith("; prompt_tokens assumed: fixed tokens=128")


def test_failed_queries_are_left_out_and_counted(tmp_path):
    workload = opened(answers(tmp_path, "b,p,m,0,,,", "b,p,m,1,7,0,stop", "b,p,m,2,0,,", "b,q,m,0,,,"))
    assert whole(workload).output_tokens.tolist() == [7]
    assert (workload.requests, workload.skipped) == (1, 0)
    assert "; 3 failed answers left out" in workload.source


# -- all ----------------------------------------------------------------------------------------------------


def test_the_first_line_shows_the_format(tmp_path):
    files = [
        written(tmp_path, "kv", [talk(asked(0, [1]))]),
        calls(tmp_path, *RUN),
        steps(tmp_path, "a,0,100,10,0,5,0,7"),
        rounds(tmp_path, a_round(0, 1, 1, [("text", "01")])),
        answers(tmp_path, "b,p,m,0,71,64,stop"),
    ]
    assert tuple(map(format_of, files)) == FORMATS
    assert format_of(written(tmp_path, "azure", ["TIMESTAMP,ContextTokens,GeneratedTokens"])) is None
    assert format_of(written(tmp_path, "mooncake", ['{"timestamp": 0, "hash_ids": []}'])) is None
    assert format_of(tmp_path / "nowhere") is None
    assert format_of(tmp_path) is None


@pytest.mark.parametrize("order", ["file", "shuffled"])
def test_the_first_turns_are_the_same_for_every_number(tmp_path, order):
    path = written(tmp_path, "kv", [talk(*(asked(i, [k, i]) for i in range(k % 5 + 1))) for k in range(40)])
    long, short = (whole(opened(path, order=order, requests=n)) for n in (60, 37))
    assert len(short) == 37
    for name, column in ((name, column) for name, column in _columns(short)):
        assert column == getattr(long, name)[:37].tolist(), name
    assert heads_of(short) == heads_of(long)[:37]


def _columns(requests):
    names = ("at_ps", "prompt_tokens", "output_tokens", "program", "turn", "gap_ps", "stream")
    return [(name, getattr(requests, name).tolist()) for name in names]
