"""Agents: programs reach a server turn by turn, find their history there, and are timed as vLLM times requests."""

import asyncio

import numpy as np
import pytest

from simcore.contract import Arrivals
from simcore.simulator.settings import Mechanisms
from tests.property.cluster.traffic import Traffic
from tests.serve.site import mock, serving

from simcore.agents import Target, bench_result, read_programs, replay  # isort: skip  # needs aiohttp, asked for above
from simcore.agents.programs import Prompts, Turn  # isort: skip

MS = 10**9


def column(*values):
    return np.array(values, dtype=np.int64)


def programs(*lengths, gap_ms=20):
    """Return programs 0, 1, …: each one's (prompt, output) by turn."""
    turns = [turn for program in lengths for turn in program]
    return Traffic(
        [
            Arrivals(
                at_ps=column(*(10 * MS * i for i, program in enumerate(lengths) for _ in program)),
                prompt_tokens=column(*(prompt for prompt, _ in turns)),
                output_tokens=column(*(output for _, output in turns)),
                program=column(*(i for i, program in enumerate(lengths) for _ in program)),
                turn=column(*(i for program in lengths for i in range(len(program)))),
                gap_ps=column(*(gap_ms * MS * (i > 0) for program in lengths for i in range(len(program)))),
            )
        ]
    )


def sent(traffic, site, **how):
    return asyncio.run(replay(read_programs(traffic), Target(site.url, **how)))


def test_turns_wait_for_each_other_and_for_their_tools():
    with serving(mock()) as site:
        jobs, model = sent(programs([(20, 5), (30, 5), (40, 5)], [(10, 3)]), site)
    assert model == "toy"
    assert [job.done for job in jobs] == [True, True]
    first, second, third = jobs[0].turns
    assert second.start_s >= first.end_s + 0.02
    assert third.start_s >= second.end_s + 0.02
    assert jobs[0].took_s == third.end_s - first.start_s
    assert jobs[1].turns[0].start_s >= 0.01
    assert [turn.output_tokens for turn in jobs[0].turns] == [5, 5, 5]
    assert all(len(turn.gaps_s) == 4 for turn in jobs[0].turns)
    assert site.outcome.counters["programs_finished"] == 2


def test_a_turn_finds_the_history_it_left_on_the_server():
    run = mock(instances=1, mechanisms=Mechanisms(prefix_cache="cold"), block_tokens=4)
    with serving(run) as site:
        sent(programs([(8, 5), (20, 5)]), site)
    # 8 of prompt and 5 of answer, of which the last was never written: three full blocks of four.
    assert site.outcome.counters["prefix_hit_tokens"] == 12


def test_the_rows_of_the_server_know_the_programs():
    traffic = Traffic([])
    with serving(mock(traffic)) as site:
        sent(programs([(5, 2), (9, 2)], [(5, 2)]), site)
    rows = sorted((row[12], row[13]) for row in traffic.kept["requests"])
    assert rows == [(0, 0), (0, 1), (1, 0)]


def test_without_hints_nobody_names_a_program():
    traffic = Traffic([])
    with serving(mock(traffic)) as site:
        sent(programs([(5, 2), (9, 2)]), site, hints=False)
    assert [row[12] for row in traffic.kept["requests"]] == [-1, -1]


def test_a_turn_that_fails_ends_its_program_and_no_other():
    with serving(mock()) as site:
        jobs, _ = sent(programs([(5, 2), (600, 2), (700, 2)], [(5, 2)]), site)
    assert [(len(job.turns), job.done) for job in jobs] == [(2, False), (1, True)]
    assert "HTTP 400" in jobs[0].turns[1].error
    assert "at most 500 tokens" in jobs[0].turns[1].error


def test_a_server_that_is_not_there_is_said():
    with pytest.raises(ConnectionError, match="/v1/models: ClientConnectorError"):
        asyncio.run(replay(read_programs(programs([(5, 2)])), Target("http://127.0.0.1:9")))


def test_the_result_has_vllm_s_keys_and_job_completion_times():
    with serving(mock()) as site:
        jobs, model = sent(programs([(20, 5), (30, 5)], [(10, 1)], gap_ms=0), site)
    result = bench_result(jobs, model, "mine")
    turns = [turn for job in jobs for turn in job.turns]
    assert (result["num_prompts"], result["completed"], result["failed"]) == (3, 3, 0)
    assert (result["total_input_tokens"], result["total_output_tokens"]) == (60, 11)
    assert result["mean_ttft_ms"] == pytest.approx(1000 * np.mean([turn.first_s - turn.start_s for turn in turns]))
    assert result["mean_tpot_ms"] == pytest.approx(1000 * np.mean([sum(turn.gaps_s) / 4 for turn in turns[:2]]))
    assert result["output_lens"] == [5, 5, 1]
    assert (result["programs_completed"], result["programs_failed"]) == (2, 0)
    assert result["job_completion_time_s_mean"] == pytest.approx(np.mean([job.took_s for job in jobs]))
    assert result["errors"] == ["", "", ""]


def test_prompts_share_what_the_workload_says_they_share():
    prompts = Prompts(vocabulary=10**6)
    head = ((7, 4),)
    one, other = prompts.of(Turn(0, 8, 1, stream=1, head=head)), prompts.of(Turn(1, 8, 1, stream=3, head=head))
    assert one[:4] == other[:4]
    assert one[4:] != other[4:]
    assert prompts.of(Turn(0, 8, 1, stream=1, head=head)) == one
