"""Tokenizers: texts to token ids and back: a model's own, or, where there is none, the bytes of UTF-8."""

import codecs
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

Messages = Sequence[Mapping[str, str]]
"""Of a chat, in order, each with `role` and `content`."""


class Detokenizer(Protocol):
    """Turns the tokens of one answer into text as they come."""

    def add(self, tokens: Sequence[int], *, last: bool = False) -> str:
        """Return the text that is certain now; with `last`, all that is left."""


class Tokenizer(Protocol):
    """What a server needs of a tokenizer."""

    placeholder: int
    """A token for answers that nobody computes."""

    def encode(self, text: str) -> list[int]: ...
    def chat(self, messages: Messages) -> list[int]:
        """Return the prompt of a chat whose next answer is asked for. Raises ValueError for what has no place in it."""

    def detokenizer(self) -> Detokenizer: ...


class ByteTokenizer:
    """A token is a byte of UTF-8, its id the byte; of other tokens the id is written, in angle brackets.

    >>> tokenizer = ByteTokenizer()
    >>> tokenizer.encode("né"), tokenizer.detokenizer().add([110, 195, 169, 300])
    ([110, 195, 169], 'né<300>')
    """

    placeholder = ord(".")

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def chat(self, messages: Messages) -> list[int]:
        """Return the bytes of each message in a line of its own after its role, so that a longer chat extends it."""
        lines = [f"{message['role']}: {message['content']}\n" for message in messages]
        return self.encode("".join(lines) + "assistant: ")

    def detokenizer(self) -> Detokenizer:
        return _Bytes()


class _Bytes:
    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, tokens: Sequence[int], *, last: bool = False) -> str:
        parts = [self._one(token) for token in tokens]
        return "".join(parts) + (self._decoder.decode(b"", final=True) if last else "")

    def _one(self, token: int) -> str:
        if token < 256:
            return self._decoder.decode(bytes((token,)))
        before = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return f"{before}<{token}>"


class ModelTokenizer:
    """The tokenizer of a model, read by `transformers` from a folder in Hugging Face format.

    Raises ValueError if it cannot be.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from transformers import AutoTokenizer
        except ImportError:
            raise ValueError(f"{folder}: its tokenizer needs transformers: pip install transformers") from None
        try:
            self._own: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # it raises whatever its files make it raise
            raise ValueError(f"{folder}: no tokenizer can be read: {error}") from None
        self.placeholder = self._own.encode(" a", add_special_tokens=False)[-1]

    def encode(self, text: str) -> list[int]:
        return list(self._own.encode(text))

    def chat(self, messages: Messages) -> list[int]:
        if not self._own.chat_template:
            return self.encode("".join(f"{each['role']}: {each['content']}\n" for each in messages) + "assistant: ")
        try:
            text = self._own.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
        except Exception as error:  # templates raise by Jinja what they do not take
            raise ValueError(f"the chat template of the model refuses the messages: {error}") from None
        return list(self._own.encode(text, add_special_tokens=False))

    def detokenizer(self) -> Detokenizer:
        return _Pieces(self._own)


class _Pieces:
    """Decodes from the last certain piece on: a token may be a part of a character, and change how the next is read."""

    def __init__(self, own: Any) -> None:
        self._own = own
        self._ids: list[int] = []
        self._context = self._done = 0

    def add(self, tokens: Sequence[int], *, last: bool = False) -> str:
        self._ids += tokens
        known, text = self._text(self._context, self._done), self._text(self._context, len(self._ids))
        if text.endswith("\ufffd") and not last:
            return ""
        self._context, self._done = self._done, len(self._ids)
        return text[len(known) :]

    def _text(self, start: int, end: int) -> str:
        text: str = self._own.decode(self._ids[start:end], skip_special_tokens=True)
        return text


def tokenizer_in(folder: Path | None) -> Tokenizer:
    """Return the tokenizer in a folder; None, or a folder without one: bytes."""
    if folder is None or not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        return ByteTokenizer()
    return ModelTokenizer(folder)
