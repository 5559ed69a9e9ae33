"""Shapes: the sizes that kernels are tested and timed with: tiny ones for Triton's interpreter, real ones for a GPU."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Model:
    """Sizes of a decoder that its kernels see."""

    name: str
    heads: int
    kv_heads: int
    head_dim: int
    hidden: int
    intermediate: int
    vocabulary: int
    layers: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences of an iteration, decodes first: (new tokens, tokens of the context with them) of each.

    >>> batch = Batch("two decodes and a chunk", ((1, 9), (1, 5), (4, 6)))
    >>> batch.decodes, batch.kv_tokens, batch.pairs  # the chunk's queries see 3, 4, 5 and 6 tokens
    (2, 20, 32)
    """

    name: str
    sequences: tuple[tuple[int, int], ...]

    @property
    def tokens(self) -> int:
        """New tokens."""
        return sum(new for new, _ in self.sequences)

    @property
    def kv_tokens(self) -> int:
        """Tokens whose keys and values must be read."""
        return sum(context for _, context in self.sequences)

    @property
    def pairs(self) -> int:
        """Queries times the keys that each sees."""
        return sum(new * context - new * (new - 1) // 2 for new, context in self.sequences)

    @property
    def decodes(self) -> int:
        """Sequences with one new token that stand before all others."""
        news = [new for new, _ in self.sequences]
        return next((i for i, new in enumerate(news) if new > 1), len(news))


def decodes(sequences: int, context: int) -> Batch:
    """Return a batch of decodes with contexts of one length."""
    return Batch(f"{sequences} x {context}", ((1, context),) * sequences)


TINY = Model("tiny", 4, 2, 16, 48, 80, 300, 2)
TINY_WIDE = Model("tiny with wide heads", 4, 2, 128, 48, 80, 300, 2)
"""Heads of 128 have tiles of 16 or 32 tokens here, so that a context of 48 has parts."""

TINY_BATCHES = (
    Batch("a context of 1", ((1, 1),)),
    Batch("at the edge of a block", ((1, 16), (1, 17))),
    Batch("a short one beside a long one", ((1, 2), (1, 48))),
    Batch("a prompt", ((5, 5),)),
    Batch("ragged chunks", ((3, 20), (7, 7), (2, 33))),
    Batch("chunks at the edge of a tile", ((3, 17), (2, 17), (2, 18))),
    Batch("a decode beside chunks", ((1, 30), (6, 6), (4, 19))),
    Batch("a chunk of 1 behind a longer one", ((4, 16), (1, 12))),
)

LLAMA_3_1_8B = Model("Llama-3.1-8B", 32, 8, 128, 4096, 14336, 128256, 32)
QWEN3_8B = Model("Qwen3-8B", 32, 8, 128, 4096, 12288, 151936, 36)
QWEN2_5_7B = Model("Qwen2.5-7B", 28, 4, 128, 3584, 18944, 152064, 28)

REAL_DECODES = (
    decodes(1, 1024),
    decodes(1, 16384),
    decodes(1, 131072),
    decodes(8, 8192),
    decodes(16, 4096),
    decodes(32, 2048),
    decodes(64, 1024),
    decodes(64, 4096),
    decodes(128, 2048),
    decodes(256, 512),
    decodes(256, 2048),
    Batch("48 from 500 to 24000", tuple((1, 500 * i) for i in range(1, 49))),
)

REAL_PREFILLS = (
    Batch("512", ((512, 512),)),
    Batch("2048", ((2048, 2048),)),
    Batch("8192", ((8192, 8192),)),
    Batch("512 at 8192", ((512, 8192),)),
    Batch("2048 at 32768", ((2048, 32768),)),
    Batch("16 prompts from 64 to 1024", tuple((64 * i, 64 * i) for i in range(1, 17))),
)
