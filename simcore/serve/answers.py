"""Answers: the bodies and chunks of completions and chats, as OpenAI's and vLLM's clients read them.

A chunk carries the tokens of one iteration; the last one says why the answer ended, so that chunks are as many as
iterations and gaps between chunks are gaps between tokens. With a chat, the first one names the role.
"""

import json
import time
from collections.abc import Sequence
from typing import Any

from simcore.serve.asked import Asked
from simcore.serve.tokenizers import Detokenizer

DONE = b"data: [DONE]\n\n"
"""The last line of a stream."""


def event(content: Any) -> bytes:
    """Return one server-sent event."""
    return b"data: " + json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


class Writer:
    """Writes what goes back for one request.

    Args:
        request_id: its name for the client.
        prompt_tokens: how long its prompt is.
    """

    def __init__(self, request_id: str, model: str, asked: Asked, prompt_tokens: int, detokenizer: Detokenizer) -> None:
        self._asked = asked
        self._prompt_tokens = prompt_tokens
        self._detokenizer = detokenizer
        self._chat = asked.messages is not None
        self._tokens: list[int] = []
        self._told_role = False
        self._base = {
            "id": f"{'chatcmpl' if self._chat else 'cmpl'}-{request_id}",
            "object": "chat.completion" if self._chat else "text_completion",
            "created": int(time.time()),
            "model": model,
        }
        self._chunk_base = self._base | ({"object": "chat.completion.chunk"} if self._chat else {})

    def chunk(self, tokens: Sequence[int], finish_reason: str | None) -> bytes:
        """Return the event that carries these tokens."""
        self._tokens += tokens
        text = self._detokenizer.add(tokens, last=finish_reason is not None)
        choice: dict[str, Any] = {"index": 0}
        if self._chat:
            choice["delta"] = ({} if self._told_role else {"role": "assistant"}) | {"content": text}
            self._told_role = True
        else:
            choice["text"] = text
        choice |= {"logprobs": None, "finish_reason": finish_reason}
        if self._asked.token_ids:
            choice["token_ids"] = list(tokens)
        content = self._chunk_base | {"choices": [choice]}
        return event(content | ({"usage": self._usage()} if self._asked.every_usage else {}))

    def closing(self) -> list[bytes]:
        """Return the events behind the last token."""
        usage = [event(self._chunk_base | {"choices": [], "usage": self._usage()})] if self._asked.usage else []
        return [*usage, DONE]

    def whole(self, tokens: Sequence[int], finish_reason: str) -> dict[str, Any]:
        """Return the body of an answer that is not streamed."""
        self._tokens += tokens
        text = self._detokenizer.add(tokens, last=True)
        said: dict[str, Any] = {"message": {"role": "assistant", "content": text}} if self._chat else {"text": text}
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": finish_reason}
        if self._asked.token_ids:
            choice["token_ids"] = list(tokens)
        return self._base | {"choices": [choice], "usage": self._usage()}

    def _usage(self) -> dict[str, int]:
        prompt, generated = self._prompt_tokens, len(self._tokens)
        return {"prompt_tokens": prompt, "completion_tokens": generated, "total_tokens": prompt + generated}
