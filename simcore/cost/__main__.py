"""Print predicted step times of a few models and GPUs, the table of docs/cost_model.md: `python -m simcore.cost`."""

from simcore.contract import Shape, to_s
from simcore.cost import Roofline, kv_blocks, load_hardware, load_model
from simcore.cost.model_spec import Dtype

PAIRS: tuple[tuple[str, Dtype, str, int], ...] = (
    ("llama-3.1-8b", "bf16", "h200", 1),
    ("llama-3.1-8b", "bf16", "h100", 1),
    ("llama-3.1-8b", "fp8", "h100", 1),
    ("llama-3.1-8b", "bf16", "rtx-pro-6000", 1),
    ("llama-2-7b", "fp16", "a10", 1),
    ("llama-3.1-70b", "bf16", "h100", 4),
    ("qwen3-32b", "bf16", "a100-80gb", 2),
    ("qwen3-30b-a3b", "bf16", "h200", 1),
)
SHAPES = (
    ("1 decode", Shape(decodes=1, context=1000)),
    ("64 decodes", Shape(decodes=64, context=64_000)),
    ("prefill 2048", Shape(chunks=[(2048, 0)])),
)


def main() -> None:
    print("| model | weights | GPU | tp |", *(f"{name}, ms |" for name, _ in SHAPES), "KV blocks |")
    print("|---|---|---|---|" + "---|" * (len(SHAPES) + 1))
    for name, dtype, gpu, tp in PAIRS:
        model, hardware = load_model(name, weights_dtype=dtype), load_hardware(gpu)
        cost = Roofline(model, hardware, tp)
        times = (f"{to_s(cost.line(shape)[0]) * 1e3:.2f} |" for _, shape in SHAPES)
        print(f"| {name} | {dtype} | {gpu} | {tp} |", *times, f"{kv_blocks(model, hardware, tp):,} |")


if __name__ == "__main__":
    main()
