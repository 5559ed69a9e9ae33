"""Sharing: how much of a workload's prompts a prefix cache without bounds would find, from the workload alone."""

from collections.abc import Iterator

from simcore.contract.traffic import Arrivals, Workload

Segment = tuple[bool, int, int]
"""Whether it is the request's stream, its key, and where it ends in tokens."""


class _Part:
    """Tokens that follow some others: the segments of all requests so far with one key behind one beginning."""

    __slots__ = ("end", "followers")

    def __init__(self) -> None:
        self.end = 0
        self.followers: dict[tuple[bool, int, int], _Part] = {}


def prefix_hit_share(workload: Workload, block_tokens: int = 16) -> float:
    """Return the share of prompt tokens in whole blocks that requests before it had in the same place.

    Requests are taken one after the other, each with what it generated, but for the last token, which has no KV. The
    last token of a prompt is always computed, as in a cluster. `block_tokens` 1 counts single tokens: then the first 40
    minutes of Mooncake's conversations give 35.8%.

    >>> from traces import programs
    >>> chat = programs(
    ...     sessions={"turns": {"kind": "fixed", "tokens": 2}, "think_s": {"kind": "fixed", "seconds": 1},
    ...               "first_prompt_tokens": {"kind": "fixed", "tokens": 60},
    ...               "turn_tokens": {"kind": "fixed", "tokens": 30}, "output_tokens": {"kind": "fixed", "tokens": 10}},
    ...     arrivals={"kind": "poisson"}, rate=1.0, requests=2)
    >>> prefix_hit_share(chat, 16)  # 60 and 100 tokens: of the 69 with KV when the first has ended, 64 are whole blocks
    0.4
    """
    if block_tokens < 1:
        raise ValueError(f"block_tokens: must be >= 1, got {block_tokens}")
    root = _Part()
    found = prompts = 0
    for piece in workload.pieces():
        for prompt_tokens, content in _contents(piece):
            shared = min(_shared(root, content), prompt_tokens - 1)
            found += shared // block_tokens * block_tokens
            prompts += prompt_tokens
    return found / prompts


def _contents(piece: Arrivals) -> Iterator[tuple[int, list[Segment]]]:
    """Yield each prompt's length, and its segments, with its stream if others may extend it."""
    stream = piece.stream if piece.stream is not None else piece.program
    streams = stream.tolist() if stream is not None else [-1] * len(piece)
    prompts, outputs = piece.prompt_tokens.tolist(), piece.output_tokens.tolist()
    offsets = piece.head.offsets.tolist() if piece.head is not None else [0] * (len(piece) + 1)
    keys = piece.head.keys.tolist() if piece.head is not None else []
    ends = piece.head.ends.tolist() if piece.head is not None else []
    for row, (prompt, output, own) in enumerate(zip(prompts, outputs, streams, strict=True)):
        segments = slice(offsets[row], offsets[row + 1])
        content = [(False, key, end) for key, end in zip(keys[segments], ends[segments], strict=True)]
        if own >= 0:
            content.append((True, own, prompt + output - 1))
        yield prompt, content


def _shared(root: _Part, content: list[Segment]) -> int:
    """Return with how many tokens in common something came before, and remember this."""
    here, start, shared, together = root, 0, 0, True
    for is_stream, key, end in content:
        part = here.followers.get((is_stream, key, start))
        if part is None:
            part = here.followers[is_stream, key, start] = _Part()
        if together:
            shared = max(shared, min(part.end, end))
            together = part.end >= end
        part.end = max(part.end, end)
        here, start = part, end
    return shared
