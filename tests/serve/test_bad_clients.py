"""Bad clients: each hears what is wrong, in the shape of OpenAI's errors, and nobody else notices."""

import asyncio
import json
import socket
import struct
import time

import pytest

from simcore.contract import Dispatch, Router
from simcore.simulator.settings import Mechanisms
from tests.serve.site import Site, aiohttp, ask, mock, post, serving, stream, toy

COMPLETIONS, CHATS = "/v1/completions", "/v1/chat/completions"


@pytest.fixture(scope="module")
def site():
    with serving(mock(), greedy=True, vocabulary=1000) as open_site:
        yield open_site


HI = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        (COMPLETIONS, b"{not json", 400, "not JSON"),
        (COMPLETIONS, b"\xff\xfe", 400, "not JSON"),
        (COMPLETIONS, b"[" * 100_000, 400, "not JSON"),
        (COMPLETIONS, [1], 400, "JSON object, got list"),
        (COMPLETIONS, {}, 400, "prompt: must be a text or a list of token ids, got None"),
        (COMPLETIONS, {"prompt": ""}, 400, "prompt: must not be empty"),
        (COMPLETIONS, {"prompt": []}, 400, "prompt: must not be empty"),
        (COMPLETIONS, {"prompt": [1, "x"]}, 400, "prompt: token ids are whole numbers, got 'x'"),
        (COMPLETIONS, {"prompt": [1, True]}, 400, "prompt: token ids are whole numbers, got True"),
        (COMPLETIONS, {"prompt": [1, None]}, 400, "prompt: token ids are whole numbers"),
        (COMPLETIONS, {"prompt": [-1]}, 400, "prompt: token ids are 0 to 999, got -1"),
        (COMPLETIONS, {"prompt": [1000]}, 400, "prompt: token ids are 0 to 999, got 1000"),
        (COMPLETIONS, {"prompt": [10**30]}, 400, "prompt: token ids are 0 to 999"),
        (COMPLETIONS, {"prompt": ["a", "b"]}, 400, "prompt: one for each request, got 2"),
        (COMPLETIONS, {"prompt": "\ud800"}, 400, "surrogates not allowed"),
        (COMPLETIONS, {"prompt": "a", "max_tokens": -5}, 400, "max_tokens: Input should be greater than or equal to 1"),
        (COMPLETIONS, {"prompt": "a", "max_tokens": "9"}, 400, "max_tokens: Input should be a valid integer, got '9'"),
        (COMPLETIONS, {"prompt": "a", "max_tokens": 2, "min_tokens": 3}, 400, "min_tokens: must be at most"),
        (COMPLETIONS, {"prompt": "a", "stream": "yes"}, 400, "stream: Input should be a valid boolean"),
        (COMPLETIONS, {"prompt": "a", "stream_options": {}}, 400, "stream_options: is for streams"),
        (COMPLETIONS, {"prompt": "a", "temperature": 0.7}, 400, "temperature is not supported here"),
        (COMPLETIONS, {"prompt": "a", "n": 2}, 400, "n is not supported here"),
        (COMPLETIONS, {"prompt": "a", "stop": ["x"]}, 400, "stop is not supported here"),
        (COMPLETIONS, {"prompt": "a" * 498, "max_tokens": 3}, 400, "at most 500 tokens; 501 were asked for"),
        (COMPLETIONS, {"prompt": "a" * 501}, 400, "at most 500 tokens"),
        (COMPLETIONS, {"prompt": "a", "model": "other"}, 404, "'other' does not exist; this server has 'toy'"),
        (CHATS, {"prompt": "a"}, 400, "messages: must be a list of messages, got None"),
        (CHATS, {"messages": []}, 400, "messages: must be a list of messages"),
        (CHATS, {"messages": ["hi"]}, 400, "messages.0: must be an object with a role"),
        (CHATS, {"messages": [{"role": "user"}]}, 400, "messages.0.content: must be a text"),
        (CHATS, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "parts of type text"),
        (CHATS, {"messages": HI, "tools": [{"type": "function"}]}, 400, "tools is not supported here"),
        ("/v1/embeddings", {}, 404, "Not Found"),
    ],
)
def test_what_is_wrong_is_said(site, path, body, status, says):
    got, answer = post(site, path, body)
    assert got == status
    assert says in answer["error"]["message"]
    assert answer["error"]["type"] == "invalid_request_error"
    assert set(answer["error"]) == {"message", "type", "param", "code"}


def test_a_body_beyond_all_bounds_is_not_read(site):
    status, answer = post(site, COMPLETIONS, b" " * (2 << 20))
    assert status == 413
    assert "the body must be at most" in answer["error"]["message"]


def test_a_full_queue_is_said_at_once_and_those_in_it_are_served():
    body = {"prompt": [1] * 17, "max_tokens": 10}  # takes both blocks
    with serving(mock(step_ms=20, instances=1, kv_blocks=2, mechanisms=Mechanisms(max_waiting=2))) as site:

        async def crowd():
            async with aiohttp.ClientSession() as session:
                first = asyncio.create_task(ask(session, site, COMPLETIONS, {**body, "max_tokens": 16}))
                while not site.run.lanes[0].running:
                    await asyncio.sleep(0.001)
                others = await asyncio.gather(*(ask(session, site, COMPLETIONS, body) for _ in range(5)))
                return [await first, *others]

        answers = asyncio.run(crowd())
    turned_away = [answer for status, answer in answers if status == 429]
    assert len(turned_away) == 3
    assert {answer["error"]["code"] for answer in turned_away} == {"queue_full"}
    assert [status for status, _ in answers].count(200) == 3
    assert site.outcome.rejected == 3


class Nowhere(Router):
    """Sends nobody anywhere."""

    def on_arrived(self, view, fact):
        return ()


@pytest.mark.parametrize("streams", [True, False])
def test_who_hangs_up_while_waiting_is_cancelled(streams):
    with serving(mock(make_router=Nowhere)) as site:
        hang_up(site, {"prompt": "a", "max_tokens": 5, "stream": streams})
        until(lambda: site.run.outcome.cancelled == 1)
    assert site.outcome.cancelled == site.outcome.arrived == 1


def test_who_hangs_up_in_mid_stream_frees_its_blocks_and_the_others_go_on():
    with serving(mock(step_ms=2, instances=1)) as site:

        async def both():
            async with aiohttp.ClientSession() as session:
                other = asyncio.create_task(ask(session, site, COMPLETIONS, {"prompt": "b", "max_tokens": 60}))
                body = {"prompt": "a", "max_tokens": 400, "stream": True}
                async with session.post(site.url + COMPLETIONS, json=body) as response:
                    await response.content.readline()
                    response.close()
                return await other

        status, answer = asyncio.run(both())
        until(lambda: site.run.outcome.cancelled == 1)
    assert status == 200
    assert answer["usage"]["completion_tokens"] == 60
    assert (site.outcome.finished, site.outcome.cancelled) == (1, 1)


def test_a_reader_that_does_not_read_holds_up_nobody():
    """Its answer is longer than what the system keeps for it: the server cannot send on."""
    long = {"prompt": "a", "max_tokens": 12_000, "stream": True}
    with serving(mock(step_ms=0.01, kv_blocks=1000), context_tokens=16_000) as site:
        deaf = connected(site, long, receive_bytes=1024)
        assert len(stream(site, COMPLETIONS, {"prompt": "b", "max_tokens": 20, "stream": True})) == 21
        until(lambda: site.run.outcome.finished == 2)  # it was computed, read or not
        deaf.close()


def test_hundreds_at_once_are_all_answered_each_with_its_own_length():
    with serving(mock(kv_blocks=400)) as site:

        async def crowd():
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(connector=connector) as session:
                bodies = [{"prompt": "hello", "max_tokens": 1 + i % 7} for i in range(300)]
                return await asyncio.gather(*(ask(session, site, COMPLETIONS, body) for body in bodies))

        answers = asyncio.run(crowd())
    assert [status for status, _ in answers] == [200] * 300
    assert [answer["usage"]["completion_tokens"] for _, answer in answers] == [1 + i % 7 for i in range(300)]
    assert site.outcome.finished == 300


def test_whoever_is_in_when_the_server_shuts_down_hears_so():
    with serving(mock(step_ms=5)) as site:

        async def cut_off():
            async with aiohttp.ClientSession() as session:
                waits = asyncio.create_task(ask(session, site, COMPLETIONS, {"prompt": "b", "max_tokens": 400}))
                body = {"prompt": "a", "max_tokens": 400, "stream": True}
                async with session.post(site.url + COMPLETIONS, json=body) as response:
                    await response.content.readline()
                    await asyncio.sleep(0.05)
                    site.run.shut()
                    return await waits, (await response.text()).strip().split("\n\n")

        (status, answer), events = asyncio.run(cut_off())
    assert status == 503
    assert answer["error"]["code"] == "shutdown"
    assert json.loads(events[-2].removeprefix("data: "))["error"]["code"] == "shutdown"
    assert events[-1] == "data: [DONE]"
    assert site.outcome.cancelled == 2


class Breaks(Router):
    """Raises at the second request."""

    def on_arrived(self, view, fact):
        if fact.request == 1:
            raise RuntimeError("a mistake in a policy")
        return (Dispatch(fact.request, 0),)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_run_that_breaks_leaves_nobody_waiting():
    site = Site(mock(step_ms=5, make_router=Breaks), toy())
    site.open()

    async def three():
        async with aiohttp.ClientSession() as session:
            first = asyncio.create_task(ask(session, site, COMPLETIONS, {"prompt": "a", "max_tokens": 400}))
            await asyncio.sleep(0.05)
            second = await ask(session, site, COMPLETIONS, {"prompt": "b"})
            return await first, second, await ask(session, site, COMPLETIONS, {"prompt": "c"})

    answers = asyncio.run(three())
    site.close()
    assert site.outcome is None
    assert [status for status, _ in answers] == [503] * 3
    assert [answer["error"]["code"] for _, answer in answers] == ["failed", "failed", "failed"]


def connected(site, body, receive_bytes=None):
    """Return a connection that has sent a request and reads nothing."""
    connection = socket.socket()
    if receive_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.connect(("127.0.0.1", site.port))
    data = json.dumps(body).encode()
    head = f"POST {COMPLETIONS} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
    connection.sendall(head.encode() + data)
    return connection


def hang_up(site, body):
    """Send a request, wait until it has come in, and break the connection off."""
    connection = connected(site, body)
    until(lambda: site.run.outcome.arrived == 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def until(true):
    """Wait until something is true, which it should be at once."""
    ends = time.monotonic() + 20
    while not true():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.005)
