"""What a user gets wrong is said in one line each, with its place, all at once."""

from pathlib import Path

import pytest

from simcore.study.errors import StudyError
from simcore.study.load import read
from simcore.study.registry import policy_names
from simcore.study.traffic import known_traces
from tests.study.tiny import TINY, write_study
from tests.study.tiny import problems_of as problems


def changed(old: str, new: str) -> str:
    assert TINY.count(old) == 1
    return TINY.replace(old, new)


def test_the_tiny_study_has_no_problems():
    assert problems(TINY) == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        # typos
        ("ttft_ms", "tfft_ms", "12:7: slo.tfft_ms: unknown key; have ttft_ms, tpot_ms, e2el_ms, attainment, "
         "classes (did you mean 'ttft_ms'?)"),
        ("instances", "instance", "5:11: cluster.instance: unknown key; have instances, tp, kv_blocks, block_tokens, "
         "memory_utilization, report, roles, topology, host_memory_gib, boot_s (did you mean 'instances'?)"),
        ("router: round_robin", "ruoter: round_robin", "14:17: systems.round_robin.ruoter: unknown key; "
         "have router, scheduler, mechanism, roles, rollout (did you mean 'router'?)"),
        ("choices", "choises", "15:40: systems.two.router.choises: unknown key; have policy, choices "
         "(did you mean 'choices'?)"),
        ("kind: poisson", "kind: posson", "7:14: workload.arrivals.kind: must be one of poisson, gamma, weibull, "
         "constant, quantiles, all_at_once, on_off, mmpp, diurnal, spike, ramp, got 'posson' "
         "(did you mean 'poisson'?)"),
        ("requests: 30\n", "requests: 30\n  classes: {fast: {share: 0, prio: 1}}\n",
         ["12:20: workload.classes.fast.share: must be a number > 0, got 0",
          "12:30: workload.classes.fast.prio: unknown key (did you mean 'priority'?)"]),
        # unknown names
        ("llama-3.1-8b", "lama-3.1-8b", "3:1: model: unknown model 'lama-3.1-8b'; have llama-2-13b, llama-2-70b, "
         "llama-2-7b, llama-3.1-70b, llama-3.1-8b, llama-30b, mixtral-8x7b, qwen2.5-32b, qwen2.5-7b, qwen3-30b-a3b, "
         "qwen3-32b, qwen3-8b (did you mean 'llama-3.1-8b'?)"),
        ("h100", "h1000", "4:1: hardware: unknown hardware 'h1000'; have a10, a100-40gb, a100-80gb, b200, h100, h200, "
         "l40s, rtx-pro-6000 (did you mean 'h100'?)"),
        ("power_of_two", "power_of_tow", "15:18: systems.two.router.policy: unknown router 'power_of_tow'; "
         f"have {', '.join(policy_names('router'))} (did you mean 'power_of_two'?)"),
        ("power_of_two", "vllm_v1", "15:18: systems.two.router.policy: vllm_v1 has no router; VllmV1 is a scheduler"),
        # wrong types
        ("rate: 20", "rate: fast", "10:3: workload.rate: must be a number, got 'fast'"),
        ("rate: 20", "rate: '20'", "10:3: workload.rate: must be a number, got '20'"),
        ("requests: 30", "requests: 30.5", "11:3: workload.requests: must be a whole number, got 30.5"),
        ("instances: 2", "instances: true", "5:11: cluster.instances: must be a whole number, got true"),
        ("ttft_ms: 500", "ttft_ms: .inf", "12:7: slo.ttft_ms: must be a finite number, got inf"),
        ("choices: 2", "choices: two", "15:40: systems.two.router.choices: must be a whole number, got 'two'"),
        ("{ttft_ms: 500, tpot_ms: 50}", "500", "12:1: slo: must be a mapping of keys, got 500"),
        ("question: does it run?", "question: [1]", "2:1: question: must be text, got a list"),
        ("question: does it run?", "question: 2026-01-01",
         "2:1: question: a date has no meaning in a study; quote it if it is text"),
        # impossible values
        ("rate: 20", "rate: -1", "10:3: workload.rate: must be > 0, got -1"),
        ("rate: 20", "rate: 0", "10:3: workload.rate: must be > 0, got 0"),
        ("instances: 2", "instances: 0", "5:11: cluster.instances: must be >= 1, got 0"),
        ("requests: 30", "requests: 0", "11:3: workload.requests: must be >= 1, got 0"),
        ("choices: 2", "choices: 0", "15:40: systems.two.router.choices: must be >= 1, got 0"),
        ("instances: 2", "instances: 1000000", "5:11: cluster.instances: must be <= 100000, got 1000000"),
        ("instances: 2", "kv_blocks: 99999999999", "5:11: cluster.kv_blocks: must be <= 1e+09, got 99999999999"),
        ("rate: 20", "rate: 1e300", "10:3: workload.rate: must be <= 1e+09, got 1e+300"),
        ("question: does it run?", "warm_up: {seconds: 1.5, requests: 30}",
         ["2:11: warm_up.seconds: must be below 1.5 s, in which all 30 requests arrive, got 1.5",
          "2:25: warm_up.requests: must be below the 30 requests of the run, got 30"]),
        ("question: does it run?", "sample_s: 1e-9", "2:1: sample_s: must be >= 0.001, got 1e-09"),
        ("tpot_ms: 50", "attainment: 1.5", "12:21: slo.attainment: must be <= 1, got 1.5"),
        ("instances: 2", "tp: 3",
         "5:11: cluster.tp: must divide the 32 attention heads of llama-3.1-8b, got 3"),
        ("study: tiny", "study: a/b",
         "1:1: study: must be letters, digits, - and _, got 'a/b': it names folders and columns"),
        ("instances: 2", "kv_blocks: 6", "8:3: workload.prompt_tokens: no request can run: 100 prompt tokens and the "
         "first token after them need 7 KV blocks of 16 tokens, and an instance has 6"),
        ("tokens: 100", "tokens: 9000000", "8:3: workload.prompt_tokens: no request can run: 9000000 prompt tokens and "
         "the first token after them need 562501 KV blocks of 16 tokens, and an instance has 28302"),
        ("router: round_robin", "scheduler: {max_num_seqs: 4000}", "14:17: systems.round_robin.scheduler: "
         "max_num_batched_tokens must be >= max_num_seqs (4000), got 2048"),
        ("requests: 30\n", "requests: 30\n  timeout_s: 0\n  ttft_timeout_s: soon\n",
         ["12:3: workload.timeout_s: must be > 0, got 0",
          "13:3: workload.ttft_timeout_s: must be a number, got 'soon'"]),
        ("requests: 30\n", "requests: 30\n  classes: {fast: {share: 1, timeout_s: -1}}\n",
         "12:30: workload.classes.fast.timeout_s: must be a number > 0 and at most 4e+06, got -1"),
        ("requests: 30\n", "requests: 30\n  sessions: 5\n",
         "12:3: workload.sessions: must be a mapping of keys, got 5"),
        # missing
        ("hardware: h100\n", "", "1:1: hardware: is missing"),
        ("  requests: 30\n", "", "6:1: workload.requests: is missing"),
        ("  rate: 20\n", "", "6:1: workload.rate: must be a number > 0, got nothing"),
        # of a later version
        ("question: does it run?", "rollout: {steps: 2}", "2:1: rollout.groups: is missing"),
        ("router: round_robin", "mechanism: {control_s: 1}",
         "14:29: systems.round_robin.mechanism.control_s: simcore 0.4.0 does not run `control_s` yet"),
        # what is wrong between two keys
        ("router: round_robin", "scheduler: shortest_job_first", "14:17: systems.round_robin.scheduler: "
         "ShortestJobFirstOracle reads the oracle 'output_tokens'; add `oracle: [output_tokens]` to the study"),
        ("rate: 20", "trace: azure_conv_2023",
         ["7:3: workload.arrivals: a trace brings its own; leave one of the two out",
          "8:3: workload.prompt_tokens: a trace brings its own; leave one of the two out",
          "9:3: workload.output_tokens: a trace brings its own; leave one of the two out"]),
    ],
)  # fmt: skip
def test_a_mistake_is_named_where_it_is_written(old, new, line):
    lines = [line] if isinstance(line, str) else line
    assert problems(changed(old, new)) == [f"tiny.yaml:{expected}" for expected in lines]


@pytest.mark.parametrize(
    ("added", "line"),
    [
        ("seeds: 0", "16:1: seeds: must be a count from 1 to 10000 or a list of seeds, got 0"),
        ("seeds: [1, 1]", "16:1: seeds: names a seed twice"),
        ("seeds: [-1]", "16:9: seeds[0]: must be >= 0, got -1"),
        ("seeds: [1, x]", "16:12: seeds[1]: must be a whole number, got 'x'"),
        ("oracle: [output_token]", "16:10: oracle[0]: unknown oracle 'output_token'; have output_tokens, tool_s, "
         "last_turn (did you mean 'output_tokens'?)"),
        ("quesion: x", "16:1: quesion: unknown key; have study, question, model, hardware, cost, cluster, workload, "
         "slo, systems, mechanism, faults, sweep, seeds, oracle, warm_up, sample_s, claims, real, rollout"
         " (did you mean 'question'?)"),
        ("study: again", "16:1: study: key is written twice"),
        ("sweep: {workload.rat: [1, 2]}", "16:9: workload.rat: unknown key; have trace, format, time_unit, columns, "
         "bad_rows, block_tokens, order, from_s, for_s, arrivals, prompt_tokens, output_tokens, rate, requests, "
         "classes, sessions, programs, groups, clients, ttft_timeout_s, timeout_s, priorities "
         "(did you mean 'rate'?)"),
        ("sweep: {workload.rate: [1, -2, x]}", ["16:28: workload.rate: must be > 0, got -2",
                                                "16:32: workload.rate: must be a number, got 'x'"]),
        ("sweep: {systems.two.router.choices: [1, 0]}",
         "16:41: systems.two.router.choices: must be >= 1, got 0"),
        ("sweep: {workload.rate.x: [1]}", "16:9: workload.rate: is 20, so it has no keys"),
        ("sweep: {workload.rate: []}", "16:9: sweep.workload.rate: needs at least 1 item"),
        ("sweep: {workload.rate: [1, 2, 1]}", "16:31: sweep.workload.rate[2]: names 1 twice"),
        ("sweep: {workload.rate: 4}", "16:9: sweep.workload.rate: must be a list, got 4"),
        ("sweep: {seeds: [1, 2]}", "16:9: sweep.seeds: 'seeds' cannot be swept"),
    ],
)  # fmt: skip
def test_a_mistake_below_the_systems_is_named_too(added, line):
    lines = [line] if isinstance(line, str) else line
    assert problems(TINY + added) == [f"tiny.yaml:{expected}" for expected in lines]


def test_everything_that_is_wrong_is_said_at_once_in_the_order_of_the_file():
    text = TINY
    for old, new in [
        ("llama-3.1-8b", "lama"),
        ("instances: 2", "instances: 0"),
        ("kind: poisson", "kind: gamma"),
        ("rate: 20", "rate: fast"),
        ("ttft_ms", "tft_ms"),
        ("power_of_two", "power_of_tow"),
    ]:
        text = text.replace(old, new)
    assert [line.partition(": ")[0] for line in problems(text)] == [
        "tiny.yaml:3:1", "tiny.yaml:5:11", "tiny.yaml:7:3", "tiny.yaml:10:3", "tiny.yaml:12:7", "tiny.yaml:15:18",
    ]  # fmt: skip


def test_a_model_that_does_not_fit_says_what_would():
    (line,) = problems(changed("llama-3.1-8b", "llama-3.1-70b"))
    assert line.startswith("tiny.yaml:5:1: cluster: llama-3.1-70b (bf16) must fit NVIDIA H100 SXM 80GB with tp 1: ")
    assert line.endswith("tp 2 would fit")


def test_given_kv_blocks_stand_where_the_weights_would_not_fit():
    assert problems(changed("llama-3.1-8b", "llama-3.1-70b").replace("instances: 2", "kv_blocks: 1000")) == []


# -- files ----------------------------------------------------------------------------------------------


def test_a_trace_that_is_not_there_says_how_to_point_to_it(tmp_path):
    text = TINY[: TINY.index("  arrivals")] + "  trace: ../azure.csv\n" + TINY[TINY.index("slo") :]
    assert problems(text, tmp_path) == [
        "tiny.yaml:7:3: workload.trace: no such file: '../azure.csv'; point to it with --set workload.trace=PATH"
    ]


def test_a_trace_nobody_knows_lists_the_catalogue():
    text = TINY[: TINY.index("  arrivals")] + "  trace: azure_conv\n" + TINY[TINY.index("slo") :]
    assert problems(text) == [
        f"tiny.yaml:7:3: workload.trace: unknown trace 'azure_conv'; have {', '.join(known_traces())} "
        "(did you mean 'azure_conv_2023'?)"
    ]


def test_broken_rows_of_a_trace_have_their_place_in_the_trace(tmp_path):
    trace = tmp_path / "broken.csv"
    trace.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:15:46.0000000,374,44\n"
        "2023-11-16 18:15:47.0000000,-1,44\n"
        "2023-11-16 18:15:48.0000000,374,many\n"
    )
    text = TINY[: TINY.index("  arrivals")] + "  trace: broken.csv\n" + TINY[TINY.index("slo") :]
    first, second = problems(text, tmp_path)
    assert first.startswith(f"{trace}:3:29: ContextTokens: ")
    assert second.startswith(f"{trace}:4:33: GeneratedTokens: ")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "tiny.yaml:1:1: the file is empty; a study is a mapping of keys"),
        ("# nothing\n", "tiny.yaml:1:1: the file is empty; a study is a mapping of keys"),
        ("- a\n", "tiny.yaml:1:1: a study is a mapping of keys, got a list"),
        ("just words", "tiny.yaml:1:1: a study is a mapping of keys, got 'just words'"),
        ("study: [1,\nmodel: x", "tiny.yaml:2:9: not valid YAML: while parsing a flow sequence "
         "expected ',' or ']', but got '<stream end>'"),
        ("study: a\n\tmodel: b", "tiny.yaml:2:1: not valid YAML: while scanning for the next token "
         "found character '\\t' that cannot start any token"),
        ("study: *nobody", "tiny.yaml:1:8: not valid YAML: found undefined alias 'nobody'"),
    ],
)  # fmt: skip
def test_what_is_not_a_mapping_of_keys_is_refused_in_one_line(text, line):
    assert problems(text) == [line]


def test_a_key_written_twice_does_not_hide_other_mistakes():
    text = changed("rate: 20", "rate: -1\n  rate: 20")
    assert problems(text) == [
        "tiny.yaml:10:3: workload.rate: must be > 0, got -1",
        "tiny.yaml:11:3: workload.rate: key is written twice",
    ]


def test_all_keys_written_twice_are_said_at_once():
    text = changed("rate: 20", "rate: 20\n  rate: 20").replace("choices: 2", "choices: 2, choices: 3")
    assert problems(text) == [
        "tiny.yaml:11:3: workload.rate: key is written twice",
        "tiny.yaml:16:52: systems.two.router.choices: key is written twice",
    ]


def file_problem(path: Path) -> str:
    with pytest.raises(StudyError) as raised:
        read(path)
    (problem,) = raised.value.problems
    return str(problem)


def test_a_file_that_cannot_be_read_is_named_with_the_nearest(tmp_path):
    path = write_study(tmp_path)
    assert file_problem(tmp_path / "tyni.yaml") == f"{tmp_path}/tyni.yaml: no such file (did you mean '{path}'?)"
    assert file_problem(tmp_path / "none" / "x.yaml") == f"{tmp_path}/none/x.yaml: no such file"
    assert file_problem(tmp_path) == f"{tmp_path}: is a directory; a study is one YAML file"
    path.write_bytes(b"study: caf\xe9\n")
    assert file_problem(path) == f"{path}: not UTF-8 text, at byte 10"
