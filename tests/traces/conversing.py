"""What the tests of recorded conversations share: writing small files in the public formats."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from simcore.contract.traffic import Workload
from traces import TraceError, pieces
from traces.conversations import Conversations, open_conversations

TIMED: dict[str, Any] = {"arrivals": {"kind": "constant"}, "rate": 1.0}
S = 10**12


def written(folder: Path, name: str, lines: Iterable[str]) -> Path:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def opened(path: Path, **wishes: Any) -> Conversations:
    """Open at one conversation a second, unless told otherwise."""
    return open_conversations(path, **(TIMED | wishes))


def problems(path: Path, **wishes: Any) -> list[str]:
    """Return what is wrong with a file, without its name."""
    with pytest.raises(TraceError) as error:
        opened(path, **wishes)
    return [problem.removeprefix(f"{path}:") for problem in error.value.problems]


def whole(workload: Workload) -> Any:
    """Return all requests as one piece."""
    return pieces.joined(list(workload.pieces()))


def talk(*requests: dict[str, Any], tools: int = 0, system: int = 0, **more: Any) -> str:
    """Return a line of kv-cache-tester, in blocks of 4 tokens."""
    head = {"id": "trace_1", "block_size": 4, "tool_tokens": tools, "system_tokens": system}
    return json.dumps(head | {"requests": list(requests)} | more)


def asked(t: float, ids: list[int], out: int = 1, tail: int = 0, **more: Any) -> dict[str, Any]:
    """Return a request of kv-cache-tester: a prompt of these blocks and `tail` tokens more."""
    return {"t": t, "type": "n", "in": 4 * len(ids) + tail, "out": out, "hash_ids": ids, "stop": ""} | more


CALLS = "session,step,model,sidechain,request_s,response_s,input_tokens,output_tokens,tool_calls"
TOOLS = "session,index,step,tool,start_s,end_s,duration_s"
STEPS = "instance_id,step,created,prompt_tokens,cached_tokens,completion_tokens,reasoning_tokens,observation_chars"
ANSWERS = "batch,prompt_id,llm,sample,tokens_completion,reasoning_tokens,finish_reason"


def calls(folder: Path, *rows: str, tools: Iterable[str] | None = None) -> Path:
    """Write model calls of AgentCgroup, and the tool calls beside them if there are any."""
    if tools is not None:
        written(folder, "tool_calls_x.csv", [TOOLS, *tools])
    return written(folder, "llm_calls_x.csv", [CALLS, *rows])


def steps(folder: Path, *rows: str) -> Path:
    return written(folder, "mini.csv", [STEPS, *rows])


def answers(folder: Path, *rows: str) -> Path:
    return written(folder, "completions.csv", [ANSWERS, *rows])


def a_round(index: int, prompt: int, output: int, events: list[tuple[str, str]], **more: Any) -> dict[str, Any]:
    """Return a round of TraceLab; events are (type, seconds of a minute)."""
    timing = [{"event_type": kind, "timestamp": f"2026-06-01T05:40:{at}Z"} for kind, at in events]
    base = {"session_id": "s1", "round_index": index, "input_tokens_total": prompt, "output_tokens": output}
    return base | {"newly_append_tokens": 1, "timing_events": timing, "tools": []} | more


def rounds(folder: Path, *given: dict[str, Any]) -> Path:
    return written(folder, "round_trace.jsonl", map(json.dumps, given))
