"""Made layers: a small profile folder of round numbers, in LLMServingSim's format.

The model has two layers. A product takes 10 us and 1 us for each 64 tokens begun; other layers 1 us; the LM head 20 us
and 1 us a sequence, sampling 5 us. Decodes alone take 1 us and 10 ns for each token of history; with a chunk beside
them, 2 us, 20 ns for each token of history, and 1 ns for each query-key pair.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from simcore.cost import ModelSpec
from tests.cost.machines import model

GPU = "NVIDIA Made Up 1"
MODEL = "someone/tiny"
TOKENS = (1, 4, 8, 12, *range(16, 257, 16))
PRODUCTS = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
OTHERS = ("layernorm", "rotary_emb", "act_fn", "embedding", "final_layernorm")
SEQUENCES = (1, 2, 4, 6, 8, 10, 12, 16)
HISTORIES = (16, 64, 256, 1024)
CHUNKS = (16, 64, 256)
ALPHA = 0.25

Table = tuple[Sequence[str], list[Sequence[object]]]


def tiny() -> ModelSpec:
    """Return the model that was profiled."""
    return model(layers=2)


def decode_us(decodes: float, history: float) -> float:
    return 1 + decodes * history / 100


def mixed_us(chunk: float, before: float, decodes: float, history: float) -> float:
    return 2 + chunk * (before + chunk / 2) / 1000 + decodes * history / 50


def tables() -> dict[str, Table]:
    """Return the header and rows of each file, to be changed before they are written."""
    dense = [(name, t, 10 + -(-t // 64)) for name in PRODUCTS for t in TOKENS]
    dense += [(name, t, 1) for name in OTHERS for t in TOKENS]
    head = [("lm_head", s, 20 + s) for s in SEQUENCES] + [("sampler", s, 5) for s in SEQUENCES]
    attention = [(0, 0, n, h, decode_us(n, h)) for n in (1, 2, 4, 8) for h in HISTORIES]
    for chunk in CHUNKS:
        for before in (0, 256):
            attention.append((chunk, before, 0, 0, mixed_us(chunk, before, 0, 0)))
            attention += [(chunk, before, n, h, mixed_us(chunk, before, n, h)) for n in (1, 2, 4, 8) for h in HISTORIES]
    skew = [
        _skewed(n, nb, chunk, kvs) for n in (2, 4, 8) for nb in (1, n // 2) for chunk in (0, 64) for kvs in (16, 64)
    ]
    buckets = [(0, f"n<={n}", f"sr<={share}%", "kvB<=1k", "kp=0", ALPHA) for n in (2, 4, 8) for share in (40, 70)]
    return {
        "dense": (("layer", "tokens", "time_us"), [*dense]),
        "per_sequence": (("layer", "sequences", "time_us"), [*head]),
        "attention": (("prefill_chunk", "kv_prefill", "n_decode", "kv_decode", "time_us"), [*attention]),
        "skew": (
            ("regime", "n", "nb", "skew", "pc", "kp", "kv_big", "kv_mean", "t_mean_us", "t_max_us", "t_skew_us"),
            [*dict.fromkeys(skew)],
        ),
        "skew_fit": (
            ("pc", "n_label", "skew_rate_label", "kv_big_label", "kp_label", "alpha"),
            [*buckets],
        ),
    }


def write(folder: Path, files: dict[str, Table] | None = None, meta: str = "") -> Path:
    """Write a profile folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (head, rows) in (tables() if files is None else files).items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *rows])
    text = meta or f"gpu: {GPU}\nmodel: {MODEL}\nvariant: bf16\nvllm_version: 0.19.0\n"
    (folder / "meta.yaml").write_text(text, encoding="utf-8")
    return folder


def without(rows: Iterable[Sequence[object]], name: str) -> list[Sequence[object]]:
    """Return the rows of all layers but one."""
    return [row for row in rows if row[0] != name]


def _skewed(n: int, nb: int, chunk: int, kvs: int) -> tuple[object, ...]:
    """Return a row of uneven decodes: one long one among eight takes half as long again, beside a chunk all do by 10%.

    The profiler adds three iterations up.
    """
    big, mean = 4 * kvs, (nb * 4 * kvs + (n - nb) * kvs) // n
    even, longest = (mixed_us(chunk, 0, n, x) if chunk else decode_us(n, x) for x in (mean, big))
    skewed = even * (1.1 if chunk else 1.5 if (n, nb) == (8, 1) else 1.0)
    regime = "mixed" if chunk else "pure"
    return regime, n, nb, 4.0, chunk, 0, big, mean, 3 * even, 3 * longest, 3 * skewed
