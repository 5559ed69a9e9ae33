"""Server: the HTTP server, on a thread of its own; the run has the main one, where signals come."""

import socket
from threading import Thread

import uvicorn
from starlette.applications import Starlette

BACKLOG = 2048
_KEEP_ALIVE_S = 75
"""Idle connections of benchmark clients live for seconds between two requests."""
_LAST_WORDS_S = 5
"""What a slow reader has left to read what is sent, once the server stops."""


class HttpServer:
    """Serves an application on an open socket, from `start` to `stop`."""

    def __init__(self, app: Starlette, listening: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            lifespan="off",
            ws="none",
            backlog=BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_LAST_WORDS_S,
        )
        self._server = uvicorn.Server(config)
        self._listening = listening
        self._thread = Thread(target=self._serve, name="http server", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let nobody connect any more, send what is to be sent, end the thread."""
        self._server.should_exit = True
        self._thread.join()

    def _serve(self) -> None:
        self._server.run(sockets=[self._listening])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0: a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def url_of(listening: socket.socket) -> str:
    """Return where a socket can be reached."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
