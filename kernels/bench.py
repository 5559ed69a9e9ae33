"""Bench: how fast the Triton kernels are on this GPU, beside a copy in its memory and torch's own operations.

    python -m kernels.bench [--out FILE]

Prints a table and writes it as JSON. Every operation is captured in a CUDA graph, so that what is timed is the GPU
and not Python; the L2 cache is emptied before each replay. `--dry-run` goes the same way over tiny shapes in Triton's
interpreter, to see that this file works; its times say nothing.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kernels import shapes
from kernels.shapes import Batch

if TYPE_CHECKING:
    from kernels.timings import Row, Run, Timings

GOAL_OF_COPY = 0.75
"""Share of the bandwidth of a copy that is asked of decode attention, where it is not small."""

HEAD = f"{'kernel':<14} {'model':<14} {'shape':<28} {'ms':>9} {'GB/s':>7} {'of copy':>8} {'TFLOP/s':>8} {'torch ms':>9}"


def main(arguments: list[str] | None = None) -> int:
    """Run the bench; return 0, or 2 where there is no GPU to time."""
    parser = argparse.ArgumentParser(prog="python -m kernels.bench", description="Time the Triton kernels on this GPU.")
    parser.add_argument("--out", type=Path, default=Path("runs/kernels.json"), help="where to write the rows as JSON")
    parser.add_argument("--dry-run", action="store_true", help="tiny shapes in Triton's interpreter, on a CPU")
    given = parser.parse_args(arguments)
    try:
        timings = interpreted() if given.dry_run else on_gpu()
    except RuntimeError as error:
        print(f"kernels.bench: nothing was timed: {error}", file=sys.stderr)
        return 2
    copy_gb_s = timings.copy_gb_s()
    print(f"{timings.name}: a copy in its memory moves {copy_gb_s:.0f} GB/s, read and written\n\n{HEAD}")
    rows = []
    for row in timings.rows():
        rows.append(replace(row, of_copy=row.gb_s / copy_gb_s) if row.gb_s else row)
        print(line_of(rows[-1]), flush=True)
    result = {
        "device": timings.name,
        "dry_run": given.dry_run,
        "goal_of_copy": GOAL_OF_COPY,
        "copy_gb_s": copy_gb_s,
        "rows": [asdict(row) for row in rows],
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"\n{verdict(rows)}\nwritten: {given.out}")
    return 0


def line_of(row: "Row") -> str:
    """Return a row as a line under HEAD."""

    def cell(value: float | None, how: str, width: int) -> str:
        return f"{'' if value is None else format(value, how):>{width}}"

    return (
        f"{row.kernel:<14} {row.model:<14} {row.shape:<28} {row.ms:>9.4f} {cell(row.gb_s, '.0f', 7)} "
        f"{cell(row.of_copy, '.0%', 8)} {cell(row.tflop_s, '.1f', 8)} {cell(row.theirs_ms, '.4f', 9)}"
    )


def verdict(rows: list["Row"]) -> str:
    """Return whether decode attention reached its goal at every large shape, and where it was furthest from it."""
    large = [(row.of_copy, row) for row in rows if row.kernel == "decode" and row.of_copy is not None]
    if not large:
        return "decode attention: no shape is large enough for the goal"
    share, worst = min(large, key=lambda each: each[0])
    reached = "reached" if share >= GOAL_OF_COPY else "missed"
    return (
        f"decode attention, goal {GOAL_OF_COPY:.0%} of a copy: {reached}, "
        f"least {share:.0%} ({worst.model}, {worst.shape})"
    )


def on_gpu() -> "Timings":
    """Return timings of real shapes in bfloat16. Raises RuntimeError without a GPU."""
    import torch

    if not torch.cuda.is_available():
        raise RuntimeError("torch sees no GPU here (--dry-run: tiny shapes, on a CPU)")
    if os.environ.get("TRITON_INTERPRET") == "1":
        raise RuntimeError("TRITON_INTERPRET is 1: kernels would be interpreted; unset it")
    from triton.testing import do_bench

    from kernels.reference import Reference
    from kernels.timings import Timings
    from kernels.triton_ops import TritonOps

    def clock(run: "Run") -> float:
        for _ in range(3):  # compile, and let libraries choose, outside the capture
            run()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
        return float(do_bench(graph.replay, warmup=25, rep=100, return_mode="median"))

    return Timings(
        name=torch.cuda.get_device_name(),
        device=torch.device("cuda"),
        dtype=torch.bfloat16,
        ours=TritonOps(),
        theirs=Reference(),
        clock=clock,
        models=(shapes.LLAMA_3_1_8B, shapes.QWEN3_8B, shapes.QWEN2_5_7B),
        decodes=shapes.REAL_DECODES,
        prefills=shapes.REAL_PREFILLS,
        tokens=(1, 64, 2048, 16384),
        copied_bytes=2**32,
    )


def interpreted() -> "Timings":
    """Return timings of tiny shapes in Triton's interpreter; each is one run."""
    os.environ["TRITON_INTERPRET"] = "1"
    import torch

    from kernels.reference import Reference
    from kernels.timings import Timings
    from kernels.triton_ops import TritonOps

    def clock(run: "Run") -> float:
        began = time.perf_counter()
        run()
        return (time.perf_counter() - began) * 1e3

    return Timings(
        name="dry run in Triton's interpreter",
        device=torch.device("cpu"),
        dtype=torch.float32,
        ours=TritonOps(),
        theirs=Reference(),
        clock=clock,
        models=(shapes.TINY,),
        decodes=(shapes.decodes(2, 20),),
        prefills=(Batch("4", ((4, 4),)), Batch("2 at 9", ((2, 9),)), Batch("two", ((2, 2), (3, 3)))),
        tokens=(3,),
        copied_bytes=2**16,
    )


if __name__ == "__main__":
    sys.exit(main())
