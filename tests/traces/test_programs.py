"""Programs: turns with their history, waits between them, and draws that depend on nothing they need not."""

from typing import Any

import numpy as np
import pytest

from simcore.contract import Workload
from simcore.contract.traffic import Arrivals
from tests.traces.written import whole
from traces import ParameterError, Programs, open_trace, prefix_hit_share, programs
from traces.pieces import columns_of


def fixed(tokens: int) -> dict[str, object]:
    return {"kind": "fixed", "tokens": tokens}


def lasting(seconds: float) -> dict[str, object]:
    return {"kind": "fixed", "seconds": seconds}


ALIKE: dict[str, object] = {
    "turns": fixed(3),
    "first_prompt_tokens": fixed(100),
    "turn_tokens": fixed(10),
    "output_tokens": fixed(5),
}
DRAWN: dict[str, object] = {
    "turns": {"kind": "lognormal", "mean": 4, "sigma": 1},
    "first_prompt_tokens": {"kind": "lognormal", "mean": 500, "sigma": 1},
    "turn_tokens": {"kind": "lognormal", "mean": 80, "sigma": 1},
    "output_tokens": {"kind": "lognormal", "mean": 200, "sigma": 1},
}
TRAFFIC: dict[str, Any] = {"arrivals": {"kind": "constant"}, "rate": 2.0, "requests": 6}


def sessions(base: dict[str, object] = ALIKE, traffic: dict[str, Any] | None = None, **changes: object) -> Programs:
    return programs(sessions={"think_s": lasting(30), **base, **changes}, **(TRAFFIC | (traffic or {})))


def agents(base: dict[str, object] = ALIKE, traffic: dict[str, Any] | None = None, **changes: object) -> Programs:
    return programs(programs={"tool_s": lasting(2), **base, **changes}, **(TRAFFIC | (traffic or {})))


def lists(requests: Arrivals, *names: str) -> list[list[int]]:
    return [getattr(requests, name).tolist() for name in names]


def test_a_prompt_is_the_one_before_its_answer_and_the_new_tokens():
    drawn = whole(sessions())
    assert drawn.prompt_tokens.tolist() == [100, 115, 130] * 2
    assert drawn.output_tokens.tolist() == [5] * 6


def test_turns_follow_each_other_a_think_time_apart_and_programs_arrive_by_rate():
    drawn = whole(sessions())
    assert lists(drawn, "program", "turn") == [[0, 0, 0, 1, 1, 1], [0, 1, 2] * 2]
    assert drawn.at_ps.tolist() == [0, 0, 0, 5 * 10**11, 5 * 10**11, 5 * 10**11]
    assert drawn.gap_ps is not None
    assert drawn.gap_ps.tolist() == [0, 30 * 10**12, 30 * 10**12] * 2
    assert (drawn.tool, drawn.head, drawn.stream) == (None, None, None)


def test_the_last_program_is_cut_at_the_number_of_requests():
    assert whole(sessions(traffic={"requests": 4})).turn.tolist() == [0, 1, 2, 0]  # type: ignore[union-attr]


def test_a_program_ends_before_its_prompt_would_exceed_the_context():
    drawn = whole(sessions(max_context_tokens=129))
    assert drawn.prompt_tokens.tolist() == [100, 115] * 3
    assert lists(drawn, "program", "turn") == [[0, 0, 1, 1, 2, 2], [0, 1] * 3]
    assert whole(sessions(max_context_tokens=130)).prompt_tokens.max() == 130


def test_a_first_prompt_is_held_within_the_context():
    drawn = whole(sessions(max_context_tokens=60))
    assert drawn.prompt_tokens.tolist() == [60] * 6
    assert drawn.turn is not None
    assert not drawn.turn.any()


def test_a_system_prompt_is_the_head_of_all_turns_and_counts_in_the_prompt():
    drawn = whole(sessions(system_prompt_tokens=32))
    assert drawn.prompt_tokens.tolist() == [132, 147, 162] * 2
    assert drawn.head is not None
    assert drawn.head.offsets.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert (set(drawn.head.keys.tolist()), set(drawn.head.ends.tolist())) == ({0}, {32})


def test_programs_share_the_system_prompts_out_equally_and_keep_theirs():
    drawn = whole(sessions(system_prompt_tokens=32, system_prompts=4, traffic={"requests": 30_000}))
    assert drawn.head is not None
    keys = drawn.head.keys.reshape(-1, 3)
    assert (keys == keys[:, :1]).all()
    assert np.bincount(keys[:, 0]) / len(keys) == pytest.approx([0.25] * 4, abs=0.02)


def test_a_cache_finds_the_history_and_the_system_prompt():
    # In blocks of 16: turns 1 and 2 find 96 and 112 of their history; the second program's first turn 32 of the system.
    drawn = sessions(system_prompt_tokens=32)
    assert prefix_hit_share(drawn, 16) == (2 * (128 + 144) + 32) / (2 * (132 + 147 + 162))


def test_a_turn_ends_in_a_tool_and_waits_for_it_but_for_the_last():
    drawn = whole(agents())
    assert lists(drawn, "tool", "gap_ps") == [[0, 0, -1] * 2, [0, 2 * 10**12, 2 * 10**12] * 2]
    assert agents().tools == ("tool",)


def test_tools_take_their_shares_and_their_own_times():
    tools = {"bash": {"share": 3, "tool_s": lasting(8)}, "read": 1}
    workload = agents(tools=tools, traffic={"requests": 30_000})
    drawn = whole(workload)
    assert workload.tools == ("bash", "read")
    assert drawn.tool is not None
    assert drawn.gap_ps is not None
    called, waited = drawn.tool[:-1], drawn.gap_ps[1:]
    assert (called == 0).sum() / (called >= 0).sum() == pytest.approx(0.75, abs=0.02)
    assert set(waited[called == 0].tolist()) == {8 * 10**12}
    assert set(waited[called == 1].tolist()) == {2 * 10**12}


def test_tool_times_are_those_measured_unless_given():
    given = {**ALIKE, "turns": fixed(100)}
    drawn = whole(programs(programs=given, **(TRAFFIC | {"requests": 20_000})))
    assert drawn.gap_ps is not None
    assert drawn.turn is not None
    gaps_s = drawn.gap_ps[drawn.turn > 0] / 1e12
    assert (gaps_s < 0.2).mean() == pytest.approx(0.68, abs=0.02)
    assert np.quantile(gaps_s, 0.9) == pytest.approx(9.3, rel=0.03)


def assert_first(long: Arrivals, short: Arrivals) -> None:
    """Fail unless `short` is the beginning of `long`."""
    beginning = dict(columns_of(long))
    for name, column in columns_of(short):
        assert beginning[name][: len(short)].tolist() == column.tolist(), name
    assert long.head is not None
    assert short.head is not None
    assert long.head.keys[: len(short.head.keys)].tolist() == short.head.keys.tolist()


@pytest.mark.parametrize("requests", [1, 2, 777, 5000])
def test_the_first_requests_are_the_same_for_every_number(requests):
    more = {"system_prompt_tokens": 16, "system_prompts": 3, "max_context_tokens": 3000, "tools": {"a": 1, "b": 2}}
    long = whole(agents(DRAWN, {"requests": 20_000}, **more))
    assert_first(long, whole(agents(DRAWN, {"requests": requests}, **more)))


def test_a_piece_holds_whole_programs():
    pieces = list(sessions(DRAWN, {"requests": 20_000}).pieces())
    assert len(pieces) > 3
    seen: set[int] = set()
    for piece in pieces:
        assert piece.program is not None
        assert piece.turn is not None
        begins = piece.turn == 0
        assert begins[0]
        assert (np.diff(piece.program) == begins[1:]).all()
        assert (np.diff(piece.turn)[~begins[1:]] == 1).all()
        mine = set(piece.program.tolist())
        assert not mine & seen
        seen |= mine
    assert seen == set(range(len(seen)))


def test_one_draw_moves_no_other():
    plain = whole(sessions(DRAWN, {"requests": 3000}))
    slower = whole(sessions(DRAWN, {"requests": 3000, "rate": 1.0}))
    assert lists(plain, "program", "turn", "gap_ps", "prompt_tokens") == lists(
        slower, "program", "turn", "gap_ps", "prompt_tokens"
    )
    longer = whole(sessions(DRAWN, {"requests": 3000}, turn_tokens=fixed(7), think_s=lasting(1)))
    assert lists(plain, "program", "turn", "output_tokens", "at_ps") == lists(
        longer, "program", "turn", "output_tokens", "at_ps"
    )


def test_a_context_limit_takes_turns_away_and_changes_none():
    short = {**DRAWN, "first_prompt_tokens": {"kind": "uniform", "min": 10, "max": 500}}
    free, held = whole(sessions(short, {"requests": 3000})), whole(sessions(short, max_context_tokens=1000))
    within = free.prompt_tokens <= 1000
    assert 0 < within.sum() < len(free)
    for name, column in columns_of(held):
        assert column.tolist() == dict(columns_of(free))[name][within][: len(held)].tolist(), name


def test_seeds_differ_and_repeat():
    first = whole(sessions(DRAWN, {"requests": 100, "seed": 1}))
    again, other = (whole(sessions(DRAWN, {"requests": 100, "seed": seed})) for seed in (1, 2))
    assert first.prompt_tokens.tolist() == again.prompt_tokens.tolist() != other.prompt_tokens.tolist()


def test_the_first_draws_stay_these_from_version_to_version():
    drawn = whole(agents(DRAWN, tools={"a": 1, "b": 1}, tool_s={"kind": "exponential", "mean": 1}))
    assert lists(drawn, "program", "prompt_tokens", "output_tokens", "tool", "gap_ps") == [
        [0, 0, 1, 2, 2, 2],
        [306, 538, 300, 53, 844, 890],
        [189, 10, 198, 708, 11, 69],
        [0, -1, -1, 0, 1, 1],
        [0, 22434068245, 0, 0, 580021652602, 3137994929211],
    ]


def test_programs_may_all_arrive_at_once():
    assert not whole(sessions(traffic={"arrivals": {"kind": "all_at_once"}, "rate": None})).at_ps.any()


def test_the_rate_is_of_programs_and_the_requests_are_turns():
    workload: Workload = sessions()
    assert (workload.rate, workload.classes, workload.patience) == (2.0, ("default",), ())
    assert sessions().requests == 6
    assert sessions().lasts_s == 1.0
    assert "sessions think_s=(fixed seconds=30) turns=(fixed tokens=3)" in workload.source


def test_programs_too_slow_for_the_clock_are_refused():
    with pytest.raises(ValueError, match="rate: 6 requests must arrive within 106 days, got 1e-08"):
        whole(sessions(traffic={"rate": 1e-8}))


def test_the_catalogued_agents_call_their_tools():
    workload = open_trace("agent_programs", requests=3000)
    assert workload.tools == ("Bash", "Read", "Edit", "Grep", "TodoWrite", "Glob", "Write")
    assert prefix_hit_share(workload) > 0.95


def test_everything_wrong_is_said_at_once():
    with pytest.raises(ParameterError) as error:
        programs(
            programs={
                "turns": 3,
                "turn_token": fixed(1),
                "first_prompt_tokens": fixed(0),
                "output_tokens": fixed(1),
                "tools": {"bash": -1, "read": {"share": 1, "tool_s": {"kind": "gama"}, "time": 3}},
                "system_prompt_tokens": 64,
                "max_context_tokens": 64,
            },
            arrivals=None,
            rate=None,
            requests=None,
        )
    assert error.value.problems == [
        "arrivals: must be a mapping with a kind, got nothing",
        "requests: must be a whole number >= 1, got nothing",
        "rate: must be a number > 0, got nothing",
        "programs.turns: must be a mapping with a kind, got 3",
        "programs.first_prompt_tokens.tokens: must be a whole number between 1 and 1e+09, got 0",
        "programs.turn_tokens: must be a mapping with a kind, got nothing",
        "programs.tools.bash.share: must be a number > 0, got -1",
        "programs.tools.read.tool_s.kind: must be one of fixed, exponential, lognormal, mixture, gamma, got 'gama' "
        "(did you mean 'gamma'?)",
        "programs.tools.read.time: unknown key; have share, tool_s",
        "programs.max_context_tokens: must be above system_prompt_tokens (64), got 64",
        "programs.turn_token: unknown key (did you mean 'turn_tokens'?)",
    ]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"think_s": None}, "sessions.think_s: must be a mapping with a kind, got nothing"),
        ({"tools": {"bash": 1}}, "sessions.tools: unknown key"),
        ({"system_prompts": 0}, "sessions.system_prompts: must be a whole number between 1 and 1e+09, got 0"),
    ],
)
def test_a_mistake_in_sessions_is_named(changes, problem):
    with pytest.raises(ParameterError) as error:
        sessions(**changes)
    assert error.value.problems[0].startswith(problem)


def test_sessions_and_programs_are_two_workloads():
    with pytest.raises(ParameterError, match="programs: must be left out where sessions are given, got both"):
        programs(sessions={**ALIKE, "think_s": lasting(1)}, programs=ALIKE, **TRAFFIC)


@pytest.mark.parametrize("tools", [{}, ["bash"]])
def test_tools_are_named(tools):
    with pytest.raises(ParameterError, match="tools: must be a mapping from names of tools to their shares"):
        agents(tools=tools)
