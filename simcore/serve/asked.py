"""Asked: the body of a request, checked key by key, and what it asks the engine for.

Keys: https://platform.openai.com/docs/api-reference, and those that vLLM adds and its clients send. A key that would
change the answer in a way nobody here can is refused unless it says what happens anyway; other keys are ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simcore.serve.errors import Refused

_NOTHING: tuple[Any, ...] = (None, False, 0, "", [], {})
_CHANGES_NOTHING: Mapping[str, tuple[Any, ...]] = {
    **dict.fromkeys(("n", "best_of"), (None, 1)),
    **dict.fromkeys(("logprobs", "top_logprobs", "prompt_logprobs", "echo", "suffix", "stop"), _NOTHING),
    **dict.fromkeys(("tools", "functions", "logit_bias", "use_beam_search"), _NOTHING),
    **dict.fromkeys(("tool_choice", "function_call"), (None, "none", "auto")),
    **dict.fromkeys(("structured_outputs", "guided_json", "guided_regex", "guided_choice"), _NOTHING),
    "response_format": (None, {"type": "text"}),
    "modalities": (None, ["text"]),
}
"""Keys that nobody here obeys, and the values that ask for nothing."""

_GREEDY: Mapping[str, tuple[Any, ...]] = {
    "temperature": (None, 0),
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
    "repetition_penalty": (None, 1),
}
"""The same on an engine that always takes the most likely token; `top_p`, `top_k`, `min_p`, `seed` then change
nothing."""

_TOKENS = Annotated[int, Field(ge=1)]


class _StreamOptions(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    model: str | None = None
    prompt: Any = None
    messages: Any = None
    max_tokens: _TOKENS | None = None
    max_completion_tokens: _TOKENS | None = None
    min_tokens: Annotated[int, Field(ge=0)] | None = None
    ignore_eos: bool | None = None
    stop_token_ids: list[int] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: int | None = None
    return_token_ids: bool | None = None
    job_id: str | int | None = None
    is_last_step: bool | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for.

    Args:
        prompt: token ids or a text; None for a chat.
        messages: of a chat, each {"role", "content"}.
        max_tokens: None: the server's default.
        program, last_turn: of what program it is a turn (`job_id`), and whether it says it is the last.
        every_usage: usage in every chunk, not only behind the last.
        token_ids: the answer's token ids beside its text.
    """

    model: str | None
    prompt: str | list[int] | None
    messages: list[dict[str, str]] | None
    max_tokens: int | None
    min_tokens: int
    ignore_eos: bool
    stop_token_ids: frozenset[int]
    stream: bool
    usage: bool
    every_usage: bool
    token_ids: bool
    program: str | None
    last_turn: bool


def read_asked(body: Any, *, chat: bool, greedy: bool) -> Asked:
    """Return what the JSON of a request asks for. Raises Refused.

    chat: messages instead of a prompt; greedy: the engine takes the most likely token, whatever is asked.
    """
    if not isinstance(body, dict):
        raise Refused(f"the body must be a JSON object, got {type(body).__name__}")
    for key, allowed in [*_CHANGES_NOTHING.items(), *(_GREEDY.items() if greedy else ())]:
        if key in body and not any(body[key] == each for each in allowed):
            raise Refused(f"{key} is not supported here; leave it out", param=key, code="unsupported_parameter")
    try:
        read = _Body.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        param = ".".join(str(part) for part in first["loc"] if part not in ("int", "str"))
        raise Refused(f"{param}: {first['msg']}, got {_short(first['input'])}", param=param) from None
    options = read.stream_options or _StreamOptions()
    if read.stream_options is not None and not read.stream:
        raise Refused("stream_options: is for streams; set stream to true", param="stream_options")
    most = read.max_completion_tokens if chat and read.max_completion_tokens is not None else read.max_tokens
    least = read.min_tokens or 0
    if most is not None and least > most:
        raise Refused(f"min_tokens: must be at most max_tokens ({most}), got {least}", param="min_tokens")
    return Asked(
        model=read.model,
        prompt=None if chat else _prompt(read.prompt),
        messages=_messages(read.messages) if chat else None,
        max_tokens=most,
        min_tokens=least,
        ignore_eos=bool(read.ignore_eos),
        stop_token_ids=frozenset(read.stop_token_ids or ()),
        stream=bool(read.stream),
        usage=bool(options.include_usage),
        every_usage=bool(options.continuous_usage_stats),
        token_ids=bool(read.return_token_ids),
        program=None if read.job_id is None else str(read.job_id),
        last_turn=bool(read.is_last_step),
    )


def _prompt(given: Any) -> str | list[int]:
    if isinstance(given, list) and len(given) == 1 and isinstance(given[0], str | list):
        given = given[0]
    if isinstance(given, list) and given and isinstance(given[0], str | list):
        raise Refused(f"prompt: one for each request, got {len(given)}; send them one by one", param="prompt")
    if not isinstance(given, str | list):
        raise Refused(f"prompt: must be a text or a list of token ids, got {_short(given)}", param="prompt")
    if not given:
        raise Refused("prompt: must not be empty", param="prompt")
    if isinstance(given, list):
        wrong = next((each for each in given if type(each) is not int), None)
        if wrong is not None or None in given:
            raise Refused(f"prompt: token ids are whole numbers, got {_short(wrong)}", param="prompt")
    return given


def _messages(given: Any) -> list[dict[str, str]]:
    if not isinstance(given, list) or not given:
        raise Refused(f"messages: must be a list of messages, got {_short(given)}", param="messages")
    return [_message(message, f"messages.{index}") for index, message in enumerate(given)]


def _message(given: Any, where: str) -> dict[str, str]:
    if not isinstance(given, dict) or not isinstance(given.get("role"), str):
        raise Refused(f"{where}: must be an object with a role and a content, got {_short(given)}", param=where)
    content = given.get("content")
    if content is None and given["role"] == "assistant":
        content = ""
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts = [_text(part) for part in parts]
    if None in texts:
        raise Refused(f"{where}.content: must be a text, or parts of type text", param=f"{where}.content")
    return {"role": given["role"], "content": "".join(text for text in texts if text)}


def _text(part: Any) -> str | None:
    text = part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
    return text if isinstance(text, str) else None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
