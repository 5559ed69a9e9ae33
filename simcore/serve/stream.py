"""Stream: an answer as server-sent events, as it comes."""

import asyncio

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from simcore.serve.answers import Writer, event
from simcore.serve.errors import refused_by
from simcore.serve.gateway import Answer, Gateway
from simcore.simulator.calls import GOOD_ENDS, End


class AnswerStream(Response):
    """Sends what comes for a call. Whoever goes away in the middle gives it up.

    Args:
        first: news of the call that were read before.
        hears: waits for the client to go away; not needed any more when all is sent.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        gateway: Gateway,
        answer: Answer,
        writer: Writer,
        first: tuple[list[int], End | None],
        hears: "asyncio.Task[None]",
    ) -> None:
        super().__init__(None, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self.raw_headers = [header for header in self.raw_headers if header[0] != b"content-length"]
        self._gateway = gateway
        self._answer = answer
        self._writer = writer
        self._first = first
        self._hears = hears

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            tokens, end = self._first
            while end is None:
                if tokens:
                    await self._send(send, self._writer.chunk(tokens, None))
                tokens, end = await self._answer.more()
            if end in GOOD_ENDS:
                await self._send(send, self._writer.chunk(tokens, end))
            else:
                if tokens:
                    await self._send(send, self._writer.chunk(tokens, None))
                await self._send(send, event(refused_by(end).body))
            for last in self._writer.closing():
                await self._send(send, last)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError:
            return  # it went away
        finally:
            self._hears.cancel()
            self._gateway.hang_up(self._answer.call)

    async def _send(self, send: Send, body: bytes) -> None:
        await send({"type": "http.response.body", "body": body, "more_body": True})
