"""App: the routes of the server: completions, chats, models, health, metrics."""

import asyncio
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive

from simcore.serve.answers import Writer
from simcore.serve.asked import Asked, read_asked
from simcore.serve.errors import Refused, error_body, refused_by
from simcore.serve.gateway import Gateway
from simcore.serve.metrics import metrics_text
from simcore.serve.stream import AnswerStream
from simcore.serve.tokenizers import Tokenizer
from simcore.simulator.calls import GOOD_ENDS, Call, End

COMPLETION_TOKENS = 16
"""What a completion generates at most if it does not say: OpenAI's default."""
CHAT_TOKENS = 256
"""The same for a chat, where OpenAI's default is all that fits."""
_AT_ONCE = 10_000
"""Longer texts are split into tokens on a thread of their own, so that nobody waits for them."""


@dataclass(frozen=True, slots=True)
class Serves:
    """What is served.

    Args:
        model: its name.
        context_tokens: the most that a prompt and its answer may be together.
        vocabulary: token ids are below it; None: any that is not negative.
        ends: tokens that end a text.
        greedy: an engine computes, and takes the most likely token.
    """

    model: str
    tokenizer: Tokenizer
    context_tokens: int
    vocabulary: int | None = None
    ends: frozenset[int] = frozenset()
    greedy: bool = False

    @property
    def body_bytes(self) -> int:
        """The longest body that is read."""
        return (1 << 20) + 32 * self.context_tokens


def make_app(gateway: Gateway, serves: Serves) -> Starlette:
    """Return the ASGI application."""
    front = _Front(gateway, serves)
    routes = [
        Route("/v1/completions", front.completions, methods=["POST"]),
        Route("/v1/chat/completions", front.chats, methods=["POST"]),
        Route("/v1/models", front.models),
        Route("/health", front.health),
        Route("/metrics", front.metrics),
    ]
    handlers = {Refused: _refused, HTTPException: _http_error, Exception: _our_mistake}
    return Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]  # ours take what they handle


async def _refused(_: Request, error: Refused) -> Response:
    headers = {"Retry-After": "1"} if error.status == 429 else None
    return JSONResponse(error.body, error.status, headers)


async def _http_error(_: Request, error: HTTPException) -> Response:
    return JSONResponse(error_body(error.detail, error.status_code), error.status_code)


async def _our_mistake(_: Request, error: Exception) -> Response:
    return JSONResponse(error_body(f"a mistake of the server: {type(error).__name__}", 500), 500)


class _Front:
    def __init__(self, gateway: Gateway, serves: Serves) -> None:
        self._gateway = gateway
        self._serves = serves
        self._since = int(time.time())

    async def completions(self, request: Request) -> Response:
        return await self._answer(request, chat=False)

    async def chats(self, request: Request) -> Response:
        return await self._answer(request, chat=True)

    async def models(self, request: Request) -> Response:
        serves = self._serves
        model = {"id": serves.model, "object": "model", "created": self._since, "owned_by": "simcore"}
        return JSONResponse({"object": "list", "data": [model | {"max_model_len": serves.context_tokens}]})

    async def health(self, request: Request) -> Response:
        if not self._gateway.is_open:
            raise Refused("the server lets nobody in any more", status=503)
        return PlainTextResponse("")

    async def metrics(self, request: Request) -> Response:
        return PlainTextResponse(await metrics_text(self._gateway, self._serves.model))

    async def _answer(self, request: Request, *, chat: bool) -> Response:
        asked = read_asked(await self._json(request), chat=chat, greedy=self._serves.greedy)
        if asked.model not in (None, self._serves.model):
            message = f"the model '{asked.model}' does not exist; this server has '{self._serves.model}'"
            raise Refused(message, status=404, param="model", code="model_not_found")
        call = self._call(asked, await self._prompt(asked))
        answer = self._gateway.ask(call)
        detokenizer = self._serves.tokenizer.detokenizer()
        writer = Writer(_name(request), self._serves.model, asked, len(call.prompt), detokenizer)
        hears = asyncio.create_task(self._hang_up_with(request.receive, call))
        streams = False
        try:
            tokens, end = await answer.more()  # it is let in, or turned away
            _check(end)
            if asked.stream:
                streams = True
                return AnswerStream(self._gateway, answer, writer, (tokens, end), hears)
            while end is None:
                more, end = await answer.more()
                tokens += more
            _check(end)
            return JSONResponse(writer.whole(tokens, end))
        finally:
            if not streams:
                hears.cancel()
                self._gateway.hang_up(call)

    async def _hang_up_with(self, receive: Receive, call: Call) -> None:
        """Wait until the client goes away."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gateway.hang_up(call)

    async def _json(self, request: Request) -> Any:
        most, body = self._serves.body_bytes, bytearray()
        try:
            async for piece in request.stream():
                body += piece
                if len(body) > most:
                    raise Refused(f"the body must be at most {most:,} bytes", status=413, code="body_too_large")
        except ClientDisconnect:
            raise refused_by("client") from None
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Refused(f"the body is not JSON: {error}", code="invalid_json") from None

    async def _prompt(self, asked: Asked) -> list[int]:
        given, tokenizer = asked.prompt, self._serves.tokenizer
        if isinstance(given, list):
            vocabulary = self._serves.vocabulary
            for token in given:
                if token < 0 or (vocabulary is not None and token >= vocabulary):
                    bound = "not negative" if vocabulary is None else f"0 to {vocabulary - 1}"
                    raise Refused(f"prompt: token ids are {bound}, got {token}", param="prompt")
            return given
        messages = asked.messages
        length = len(given) if given is not None else sum(len(each["content"]) for each in messages or ())
        try:
            if given is not None:
                parts = tokenizer.encode, given
            else:
                assert messages is not None
                parts = tokenizer.chat, messages  # type: ignore[assignment]
            encode, text = parts
            prompt = encode(text) if length < _AT_ONCE else await asyncio.to_thread(encode, text)
        except ValueError as error:
            raise Refused(str(error), param="prompt" if messages is None else "messages") from None
        if not prompt:
            raise Refused("prompt: has no tokens", param="prompt")
        return prompt

    def _call(self, asked: Asked, prompt: list[int]) -> Call:
        serves, most = self._serves, asked.max_tokens
        room = serves.context_tokens - len(prompt)
        if most is None:
            most = max(1, min(room, CHAT_TOKENS if asked.messages is not None else COMPLETION_TOKENS))
        if most > room:
            message = (
                f"the context is at most {serves.context_tokens} tokens; {len(prompt) + most} were asked for, "
                f"{len(prompt)} of prompt and {most} of answer"
            )
            raise Refused(message, param="max_tokens", code="context_length_exceeded")
        ends = frozenset() if asked.ignore_eos else serves.ends
        return Call(
            prompt,
            most,
            ends=ends | asked.stop_token_ids,
            min_tokens=asked.min_tokens,
            program=asked.program,
            last_turn=asked.last_turn,
        )


def _check(end: End | None) -> None:
    """Raise Refused if a call ended without an answer."""
    if end is not None and end not in GOOD_ENDS:
        raise refused_by(end)


def _name(request: Request) -> str:
    """Return what the client calls its request, or a name for it."""
    given = request.headers.get("x-request-id", "")
    return given if given.isprintable() and 0 < len(given) <= 128 else uuid.uuid4().hex
