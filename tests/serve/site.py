"""Site: a server on a free port over a run, for the length of a test; afterwards no block may be missing."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest

pytest.importorskip("starlette", reason="pip install 'simcore[serve]'")
pytest.importorskip("uvicorn", reason="pip install 'simcore[serve]'")
aiohttp = pytest.importorskip("aiohttp", reason="pip install 'simcore[serve]'")

from simcore.cost import Affine  # noqa: E402
from simcore.serve.app import Serves, make_app  # noqa: E402
from simcore.serve.gateway import Gateway  # noqa: E402
from simcore.serve.server import HttpServer, listen, url_of  # noqa: E402
from simcore.serve.tokenizers import ByteTokenizer  # noqa: E402
from simcore.simulator.served import Served  # noqa: E402
from simcore.simulator.served_mock import ServedMock  # noqa: E402
from tests.property.cluster.traffic import Traffic  # noqa: E402
from tests.real.runs import settings  # noqa: E402

MS = 10**9


class Site:
    """Where a run is served, and what became of it; `outcome` is there once the site is closed."""

    def __init__(self, run: Served, serves: Serves) -> None:
        self.run = run
        self.outcome: Any = None
        self._listening = listen("127.0.0.1", 0)
        self.server = HttpServer(make_app(Gateway(run), serves), self._listening)
        self.url = url_of(self._listening)
        self.port = self._listening.getsockname()[1]
        self._thread = Thread(target=self._drive)

    def open(self) -> None:
        self.server.start()
        self._thread.start()

    def close(self) -> None:
        self.run.shut()
        self._thread.join(20)
        self.server.stop()
        self._listening.close()

    def _drive(self) -> None:
        self.outcome = self.run.run()


def mock(traffic: Traffic | None = None, step_ms: float = 1, **given: Any) -> ServedMock:
    """Return a run on two instances of 64 blocks, whose iterations take a millisecond."""
    cost = Affine(step_ps=int(step_ms * MS))
    return ServedMock(settings(cost=cost, **given), traffic or Traffic([]), placeholder=ord("."))


def toy(**given: Any) -> Serves:
    what: dict[str, Any] = {"model": "toy", "tokenizer": ByteTokenizer(), "context_tokens": 500}
    return Serves(**(what | given))


@contextmanager
def serving(run: Served, **given: Any) -> Iterator[Site]:
    """Serve a run as model `toy` whose context is 500 tokens."""
    site = Site(run, toy(**given))
    site.open()
    try:
        yield site
    finally:
        site.close()
    outcome = site.outcome
    assert outcome is not None, "the run failed"
    ended = outcome.finished + outcome.rejected + outcome.cancelled + outcome.failed
    assert outcome.arrived == ended
    for instance in run.instances:
        assert instance.pool.free == instance.pool.total, "KV leaked"


def post(site: Site, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    """Send one request; return the status and the JSON of the answer. `body`: JSON, or bytes as they are."""

    async def send() -> tuple[int, Any]:
        async with aiohttp.ClientSession() as session:
            return await ask(session, site, path, body, **headers)

    return asyncio.run(send())


async def ask(session: Any, site: Site, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with session.post(site.url + path, data=data, headers=headers) as response:
        return response.status, await response.json()


def stream(site: Site, path: str, body: Any) -> list[Any]:
    """Send one request; return the events of the answer, the last one as it is."""

    async def send() -> list[Any]:
        async with aiohttp.ClientSession() as session, session.post(site.url + path, json=body) as response:
            assert response.status == 200, await response.text()
            assert response.headers["Content-Type"].startswith("text/event-stream")
            return [read(event) for event in (await response.text()).split("\n\n") if event]

    return asyncio.run(send())


def read(event: str) -> Any:
    assert event.startswith("data: ")
    content = event.removeprefix("data: ")
    return content if content == "[DONE]" else json.loads(content)
