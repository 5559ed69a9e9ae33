"""Task: prompts of digits, and a program that checks the answers: what reinforcement learning calls verifiable.

A text is made of sixteen characters, a token each: to `539=` the answer is, if asked to reverse, `935.`, nothing else.
"""

from collections.abc import Sequence
from typing import Literal, get_args

from simcore.books.draw import seed_of

Kind = Literal["copy", "reverse", "sort", "add"]
CHARACTERS = "0123456789=+.ab?"
"""By token; the last three are in no prompt and no right answer."""
ASKS, PLUS, END = (CHARACTERS.index(each) for each in "=+.")
_HELD_OUT_SHARE = 8


class Task:
    """Prompts and answers of one kind: the digits copied, reversed or sorted, or the sum of two numbers.

    Args:
        seed: draws the prompts.

    One prompt in eight, by its content, is held out: none of these is ever given to train on.
    """

    def __init__(self, kind: Kind, seed: int = 0) -> None:
        if kind not in get_args(Kind):
            raise ValueError(f"task must be one of {', '.join(get_args(Kind))}, got {kind!r}")
        self.kind = kind
        self._seed = seed

    def prompt(self, number: int, tokens: int, *, held_out: bool = False) -> list[int]:
        """Return prompt `number` of `tokens` tokens; with `held_out` one that no other number gives to train on.

        Raises ValueError for too few tokens to ask anything.
        """
        least = 4 if self.kind == "add" else 3
        if tokens < least:
            raise ValueError(f"a prompt to {self.kind} has at least {least} tokens, got {tokens}")
        purpose = seed_of(self._seed, tokens, held_out)
        attempt = 0
        while True:
            digits = [seed_of(purpose, number, attempt, place) % 10 for place in range(tokens - 1)]
            if self.kind == "add":
                digits[(tokens - 1) // 2] = PLUS
            if (seed_of(*digits) % _HELD_OUT_SHARE == 0) == held_out:
                return [*digits, ASKS]
            attempt += 1

    def answer(self, prompt: Sequence[int]) -> list[int]:
        """Return the right answer, `END` included.

        >>> text(Task("sort").answer(tokens_of("3191=")))
        '1139.'
        """
        digits = list(prompt[:-1])
        if self.kind == "reverse":
            digits.reverse()
        elif self.kind == "sort":
            digits.sort()
        elif self.kind == "add":
            left, right = text(digits).split("+")
            digits = tokens_of(str(int(left) + int(right)))
        return [*digits, END]

    def reward(self, prompt: Sequence[int], answer: Sequence[int]) -> float:
        """Return 1 for the right answer, 0 for any other, one that was cut off among them."""
        return float(list(answer) == self.answer(prompt))


def text(tokens: Sequence[int]) -> str:
    """Return the characters of tokens.

    >>> text([4, 2, 11, 7, 10])
    '42+7='
    """
    return "".join(CHARACTERS[token] for token in tokens)


def tokens_of(characters: str) -> list[int]:
    """Return the tokens of characters. Raises ValueError for one that has none."""
    return [CHARACTERS.index(each) for each in characters]
