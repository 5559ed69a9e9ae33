"""Answers: what comes back has the shapes and counts that OpenAI's and vLLM's clients read."""

import asyncio

import pytest

from tests.serve.site import aiohttp, mock, post, serving, stream

COMPLETIONS, CHATS = "/v1/completions", "/v1/chat/completions"


@pytest.fixture(scope="module")
def site():
    with serving(mock()) as open_site:
        yield open_site


def get(site, path):
    async def send():
        async with aiohttp.ClientSession() as session, session.get(site.url + path) as response:
            return response.status, await response.text()

    return asyncio.run(send())


def test_a_completion_has_its_tokens_and_says_how_many(site):
    status, answer = post(site, COMPLETIONS, {"model": "toy", "prompt": "hello", "max_tokens": 3})
    assert status == 200
    assert answer["object"] == "text_completion"
    assert answer["id"].startswith("cmpl-")
    assert answer["choices"] == [{"index": 0, "text": "...", "logprobs": None, "finish_reason": "length"}]
    assert answer["usage"] == {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}


def test_a_chat_is_answered_by_the_assistant(site):
    parts = [{"type": "text", "text": "h"}, {"type": "text", "text": "i"}]
    status, answer = post(site, CHATS, {"messages": [{"role": "user", "content": parts}], "max_completion_tokens": 2})
    assert status == 200
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": ".."}
    assert answer["usage"]["prompt_tokens"] == len("user: hi\nassistant: ")


def test_a_stream_has_one_chunk_a_token_and_the_last_says_why_it_ended(site):
    *chunks, done = stream(site, COMPLETIONS, {"prompt": [1, 2, 3], "max_tokens": 4, "stream": True})
    assert done == "[DONE]"
    assert [chunk["choices"][0]["text"] for chunk in chunks] == ["."] * 4
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "length"]
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert not any("usage" in chunk for chunk in chunks)


def test_a_streamed_chat_names_the_role_once_with_its_first_token(site):
    body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 2, "stream": True}
    *chunks, _ = stream(site, CHATS, body)
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": "."},
        {"content": "."},
    ]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}


def test_usage_comes_behind_the_last_token_if_asked_for(site):
    body = {"prompt": "abc", "max_tokens": 2, "stream": True, "stream_options": {"include_usage": True}}
    *_, last, usage, done = stream(site, COMPLETIONS, body)
    assert last["choices"][0]["finish_reason"] == "length"
    assert usage["choices"] == []
    assert usage["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert done == "[DONE]"


def test_a_prompt_without_a_length_gets_the_default(site):
    assert post(site, COMPLETIONS, {"prompt": "a"})[1]["usage"]["completion_tokens"] == 16


def test_the_client_names_its_request(site):
    body = {"prompt": "a", "max_tokens": 1}
    assert post(site, COMPLETIONS, body, **{"x-request-id": "mine-7"})[1]["id"] == "cmpl-mine-7"


def test_models_health_and_metrics_can_be_read(site):
    post(site, COMPLETIONS, {"prompt": "a", "max_tokens": 1})
    status, models = get(site, "/v1/models")
    assert status == 200
    assert '"id":"toy"' in models
    assert '"max_model_len":500' in models
    assert get(site, "/health") == (200, "")
    status, metrics = get(site, "/metrics")
    assert status == 200
    assert 'vllm:num_requests_running{model_name="toy",engine="1"} 0\n' in metrics
    assert 'vllm:kv_cache_usage_perc{model_name="toy",engine="0"} 0\n' in metrics


VLLM = {
    "model": "toy",
    "prompt": "hello",
    "repetition_penalty": 1.0,
    "max_tokens": 3,
    "logprobs": None,
    "stream": True,
    "stream_options": {"include_usage": True},
    "ignore_eos": True,
    "temperature": 0.0,
}
VLLM_CHAT = {
    "model": "toy",
    "messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
    "max_completion_tokens": 3,
    "stream": True,
    "stream_options": {"include_usage": True},
}
GUIDELLM = {
    "model": "toy",
    "stream": True,
    "stream_options": {"include_usage": True, "continuous_usage_stats": True},
    "max_tokens": 3,
    "stop": None,
    "ignore_eos": True,
    "prompt": "hello",
}
AIPERF = {
    "messages": [{"role": "user", "content": "hello"}],
    "model": "toy",
    "stream": True,
    "max_completion_tokens": 3,
    "stream_options": {"include_usage": True},
}


@pytest.mark.parametrize(
    ("path", "body"),
    [(COMPLETIONS, VLLM), (CHATS, VLLM_CHAT), (COMPLETIONS, GUIDELLM), (CHATS, AIPERF)],
    ids=["vllm bench serve", "vllm bench serve, chat", "guidellm", "aiperf"],
)
def test_what_benchmarks_send_is_answered_as_they_read_it(site, path, body):
    """They take time to first token and gaps from events with choices, tokens from the usage of one without."""
    *events, done = stream(site, path, body)
    assert done == "[DONE]"
    assert len([event for event in events if event["choices"]]) == 3
    assert events[-1]["choices"] == []
    assert events[-1]["usage"]["completion_tokens"] == 3
    if body is GUIDELLM:
        assert [event["usage"]["completion_tokens"] for event in events] == [1, 2, 3, 3]
