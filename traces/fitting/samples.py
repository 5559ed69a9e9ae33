"""Samples: what was measured in each public trace, as columns of numbers: tokens, counts and seconds.

Turns are of conversations and runs; a wait (`_s`) is a tool's or a person's. `growth_tokens` is what a prompt grew by,
where it grew; `turn_tokens` what it grew by beyond the answer before it, at least 1.
"""

import gzip
import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simcore.contract.units import PS_PER_S
from traces.continuations import continuations
from traces.fit import columns
from traces.opening import open_trace

Numbers = NDArray[np.float64]
Sample = dict[str, Numbers]


def sample(folder: Path, trace: str) -> Sample:
    """Return the quantities of a trace in `folder` by name. Raises OSError if its file is not there."""
    return _READERS[trace](folder)


@cache
def _agentcgroup(folder: Path) -> Sample:
    calls = _table(folder, "agentcgroup/llm_calls_glm-4.7-flash.csv.gz").sort_values(["session", "step"])
    tools = _table(folder, "agentcgroup/tool_calls_glm-4.7-flash.csv.gz")
    waits = {f"{name}_s": _numbers(each.duration_s) for name, each in tools.groupby("tool")}
    return _turns(calls, "session", "input_tokens", "output_tokens") | waits | {"tool_s": _numbers(tools.duration_s)}


@cache
def _mini_swe_agent(folder: Path) -> Sample:
    calls = _table(folder, "mini-swe-agent/llm_calls_gemini-3-pro_swebench-verified.csv.gz")
    calls = calls.sort_values(["instance_id", "step"])
    return _turns(calls, "instance_id", "prompt_tokens", "completion_tokens")


@cache
def _kv_cache_tester(folder: Path) -> Sample:
    rows: list[tuple[int, int, int]] = []
    waits: dict[str, list[float]] = {"tool_result_s": [], "user_text_s": []}
    with gzip.open(folder / "kv-cache-tester/traces.jsonl.gz", "rt") as lines:
        for number, line in enumerate(lines):
            asked = [each for each in json.loads(line)["requests"] if each["type"] != "subagent"]
            rows += [(number, each["in"], each["out"]) for each in asked]
            for each in asked[1:]:
                by = "tool_result_s" if "tool_result" in (each.get("input_types") or []) else "user_text_s"
                waits[by] += [each["think_time"]] if "think_time" in each else []
    calls = pd.DataFrame(rows, columns=["conversation", "prompt", "output"])
    return _turns(calls, "conversation", "prompt", "output") | {key: np.array(each) for key, each in waits.items()}


@cache
def _lmsys(folder: Path) -> Sample:
    return {"output_tokens": _numbers(_table(folder, "lmsys/predictions_warmup_cls_1000K.csv.gz").output_token_length)}


@cache
def _arxiv(folder: Path) -> Sample:
    pairs = _table(folder, "vidur/arxiv_summarization_stats_llama2_tokenizer_filtered_v2.csv.gz")
    return {"prompt_tokens": _numbers(pairs.num_prefill_tokens), "output_tokens": _numbers(pairs.num_decode_tokens)}


@cache
def _lrm_token_economy(folder: Path) -> Sample:
    answers = _table(folder, "lrm-token-economy/completions.csv.gz")
    answers = answers[answers.tokens_completion > 0]
    aime = answers[answers.batch == "aime2023"]
    return {
        "output_tokens": _numbers(answers.tokens_completion),
        "aime_output_tokens": _numbers(aime.tokens_completion),
        "group": _numbers(answers.groupby(["batch", "prompt_id", "llm"]).ngroup()),
        "aime_group": _numbers(aime.groupby(["prompt_id", "llm"]).ngroup()),
    }


@cache
def _requests(folder: Path, file: str) -> Sample:
    trace = columns(open_trace(folder / file))
    sample = {
        "gap_s": np.diff(trace.at_ps) / PS_PER_S,
        "prompt_tokens": trace.prompt_tokens.astype(np.float64),
        "output_tokens": trace.output_tokens.astype(np.float64),
    }
    if trace.head is not None:
        sample["turns"] = continuations(trace).turns.astype(np.float64)
    return sample


_READERS: dict[str, Callable[[Path], Sample]] = {
    "azure_conv": partial(_requests, file="azure/AzureLLMInferenceTrace_conv.csv"),
    "azure_code": partial(_requests, file="azure/AzureLLMInferenceTrace_code.csv"),
    "mooncake_conversation": partial(_requests, file="mooncake/conversation_trace.jsonl.gz"),
    "mooncake_synthetic": partial(_requests, file="mooncake/synthetic_trace.jsonl.gz"),
    "agentcgroup": _agentcgroup,
    "mini-swe-agent": _mini_swe_agent,
    "kv-cache-tester": _kv_cache_tester,
    "lmsys": _lmsys,
    "arxiv": _arxiv,
    "lrm-token-economy": _lrm_token_economy,
}


def _turns(calls: pd.DataFrame, run: str, prompt: str, output: str) -> Sample:
    """Return the quantities of calls in order, run after run; calls without an answer are left out."""
    known = calls[(calls[prompt] > 0) & (calls[output] > 0)]
    before = known.groupby(run)[[prompt, output]].shift()
    growth = (known[prompt] - before[prompt]).dropna()
    return {
        "turns": _numbers(known.groupby(run).size()),
        "first_prompt_tokens": _numbers(known.groupby(run)[prompt].first()),
        "growth_tokens": _numbers(growth[growth > 0]),
        "turn_tokens": np.maximum(_numbers((growth - before[output]).dropna()), 1),
        "prompt_tokens": _numbers(known[prompt]),
        "output_tokens": _numbers(known[output]),
    }


def _table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / name)


def _numbers(column: Any) -> Numbers:
    values: Numbers = column.to_numpy(np.float64)
    return values
