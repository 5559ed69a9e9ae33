"""History: which prompts of a run go on from the one before, told by their lengths alone.

Tables name no tokens. A run appends: a prompt is the one before, the answer and what is new, so all of them are one
stream. A prompt of less than half the length of the one before is a history that was cut or summed up, or another
agent's: it shares nothing that could be told, and begins a new stream. One that is only a little shorter lost some
tokens on the way (thinking that is not sent again, another count), and stays.
"""

from collections.abc import Sequence


def streams(prompt_tokens: Sequence[int], chains: Sequence[int] | None = None) -> list[int]:
    """Return the stream of each prompt, numbered from 0 as they begin.

    chains: which of several histories each prompt is of (a main agent's, a nested one's); None: all of one.

    >>> streams([100, 180, 170, 84, 90])
    [0, 0, 0, 1, 1]
    >>> streams([100, 30, 60, 180], [0, 1, 1, 0])
    [0, 1, 1, 0]
    """
    begun = 0
    last: dict[int, tuple[int, int]] = {}
    found = []
    for prompt, chain in zip(prompt_tokens, chains if chains is not None else [0] * len(prompt_tokens), strict=True):
        before, stream = last.get(chain, (0, -1))
        if stream < 0 or 2 * prompt < before:
            stream, begun = begun, begun + 1
        last[chain] = prompt, stream
        found.append(stream)
    return found


def at_least_one(output_tokens: list[int]) -> tuple[list[int], int]:
    """Return output lengths in which 0 became 1, and how many did: who prefills a prompt gets a token.

    >>> at_least_one([5, 0, 2])
    ([5, 1, 2], 1)
    """
    empty = output_tokens.count(0)
    return ([max(1, tokens) for tokens in output_tokens] if empty else output_tokens), empty
