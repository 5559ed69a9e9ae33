"""A flat machine: every iteration takes 10 ms whatever is in it, so that capacities follow from counting steps.

A request of 10 output tokens that runs alone keeps its instance busy for 100 ms: it carries 10 requests a second.
"""

import json
import re
from pathlib import Path
from typing import Any

from simcore import Study
from simcore.capacity import Capacity

ROOT = Path(__file__).parents[2]
STEP_S = 0.01
SERVICE_S = 0.1

ONE = """\
study: one
model: tiny.json
hardware: flat.yaml
cluster: {kv_blocks: 1000}
workload:
  arrivals: {kind: constant}
  prompt_tokens: {kind: fixed, tokens: 10}
  output_tokens: {kind: fixed, tokens: 10}
  rate: 3
  requests: 100
slo: {ttft_ms: 15}
sample_s: null
systems:
  one: {scheduler: {policy: vllm_v1, max_num_seqs: 1}}
"""
"""Evenly spaced requests, one at a time: up to 10 a second nobody waits, above it the queue grows."""

POISSON = ONE.replace("{kind: constant}", "{kind: poisson}")

_TINY = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "head_dim": 64,
    "vocab_size": 1000,
    "torch_dtype": "bfloat16",
}


def write(folder: Path, text: str = ONE) -> Path:
    """Write a study, its model and its machine; return the study's path."""
    (folder / "tiny.json").write_text(json.dumps(_TINY))
    hardware = (ROOT / "simcore" / "data" / "hardware" / "h100.yaml").read_text()
    kernels = dict.fromkeys(["matmul_s", "prefill_attention_s", "decode_attention_s", "kernel_s", "allreduce_s"], 0.0)
    for key, value in {**kernels, "step_s": STEP_S, "memory_bytes_per_s": 1e15, "bf16_flops": 1e18}.items():
        hardware = re.sub(rf"^{key}: .*$", f'{key}: {{value: {value}, source: "flat"}}', hardware, flags=re.MULTILINE)
    (folder / "flat.yaml").write_text(hardware)
    path = folder / "one.yaml"
    path.write_text(text)
    return path


def capacity(folder: Path, text: str = ONE, vary: str = "workload.rate", **how: Any) -> Capacity:
    """Search in `folder`; what is not asked for is left out: the figure, the check of the length."""
    asked: dict[str, Any] = {"jobs": 1, "plots": False, "check_length": False, "out": folder / "out", **how}
    return Study.load(write(folder, text)).capacity(vary, **asked)


def only(found: Capacity) -> dict[str, Any]:
    """Return the result of a study of one system."""
    (entry,) = found.data["results"]
    result: dict[str, Any] = entry
    return result
