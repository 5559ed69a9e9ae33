"""Greedy: what each request would have generated undisturbed, computed anew from its text.

A text is what an undisturbed run generates if each of its tokens is the most likely one behind those before it. So the
whole text is prefilled at once, and every place of the answer is asked at the same time, instead of one by one.
"""

from collections.abc import Iterator

from realbackend.work import Engine, Work

_AT_ONCE = 64


def most_likely(engine: Engine, block_tokens: int, prompt: list[int], generated: list[int]) -> list[int]:
    """Return the token most likely behind the prompt and each beginning of `generated`, one for each of its tokens.

    The engine has blocks 0, 1, … for the whole text, and nothing else to do.
    """
    text = prompt + generated[:-1]
    blocks = list(range(-(-len(text) // block_tokens)))
    last = engine.run([Work(0, 0, text, blocks, True)])
    asked = [
        Work(1 + place, at, text[at : at + 1], blocks[: at // block_tokens + 1], True)
        for place, at in enumerate(range(len(prompt) - 1, len(text) - 1))
    ]
    found: list[int] = []
    for part in _parts(asked):
        found += engine.run(part)
    return found + last


def _parts(work: list[Work]) -> Iterator[list[Work]]:
    for start in range(0, len(work), _AT_ONCE):
        yield work[start : start + _AT_ONCE]
