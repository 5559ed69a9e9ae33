"""Compile all: run every operation in bfloat16 on a Hopper GPU that is one in name only: compiled, not launched.

Prints, for each kernel, the most bytes a thread keeps outside its registers. Ends with 3 where Triton has no assembler.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime import JITFunction, driver

from kernels.cases import draw
from kernels.ops import Sampling
from kernels.shapes import LLAMA_3_1_8B, Batch
from kernels.triton_ops import TritonOps

HOPPER = GPUTarget("cuda", 90, 32)
TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"


class Hopper:
    """What Triton's compiler asks of a driver."""

    def get_current_target(self) -> GPUTarget:
        return HOPPER

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int | None = None) -> int:
        return 0


def main() -> int:
    if not (TOOLS / "ptxas").exists() or not (TOOLS / "cuobjdump").exists():
        print("this Triton comes without NVIDIA's assembler")
        return 3
    driver.set_active(Hopper())
    spilled: dict[str, int] = {}
    launch = JITFunction.run

    def compiled(self: Any, *args: Any, grid: Any, warmup: bool, **how: Any) -> Any:
        kernel = launch(self, *args, grid=grid, warmup=True, **how)
        name = self.fn.__name__
        spilled[name] = max(spilled.get(name, 0), stack_bytes(kernel.asm["cubin"]))
        return kernel

    JITFunction.run = compiled
    run_all()
    print("\n".join(f"{name} {stack}" for name, stack in spilled.items()))
    return 0


def stack_bytes(cubin: bytes) -> int:
    """Return the stack of a kernel, where what has no register goes."""
    with tempfile.NamedTemporaryFile(suffix=".cubin", delete=False) as file:
        file.write(cubin)
    try:
        command = [str(TOOLS / "cuobjdump"), "--dump-resource-usage", file.name]
        usage = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    finally:
        os.unlink(file.name)
    return max(int(stack) for stack in re.findall(r"STACK:(\d+)", usage))


def run_all() -> None:
    """Run each operation once, attention with and without parts, sampling with and without draws."""
    ops, cpu, bf16 = TritonOps(), torch.device("cpu"), torch.bfloat16
    h, g, e = LLAMA_3_1_8B.heads, LLAMA_3_1_8B.kv_heads, LLAMA_3_1_8B.head_dim
    one, many, chunk = Batch("", ((1, 4096),)), Batch("", ((1, 16),) * 64), Batch("", ((64, 64),))
    for batch in (one, many, chunk):
        case = draw(LLAMA_3_1_8B, batch, dtype=bf16, device=cpu)
        ops.attention(case.q, case.layer, case.plan, case.scale)
    x, weight = torch.zeros((2, 4096), dtype=bf16), torch.zeros(4096, dtype=bf16)
    ops.rms_norm(x, weight, 1e-5)
    ops.add_rms_norm(x, x, weight, 1e-5)
    ops.silu_mul(x)
    q, k = torch.zeros((2, h, e), dtype=bf16), torch.zeros((2, g, e), dtype=bf16)
    at, layer = torch.arange(2), torch.zeros((1, 2, 16, g, e), dtype=bf16)
    ops.rope_and_store(q, k, k, torch.zeros((2, e)), at, at, layer)
    ops.copy_blocks(layer, at[:1], layer.clone(), at[:1])
    ops.sample(x, None)
    ops.sample(x, Sampling(torch.ones(2), torch.ones(2), at, at))


if __name__ == "__main__":
    sys.exit(main())
