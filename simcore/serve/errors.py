"""Errors: what goes back to a client whose request is not served, in the shape of OpenAI's errors."""

from typing import Any

from simcore.simulator.calls import End


class Refused(Exception):
    """A request that is not served.

    Args:
        message: the rule and what was sent instead.
        status: of the HTTP answer.
        param: the key of the body that is wrong, dotted.
        code: for programs.
    """

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(message, status, param, code)


def error_body(message: str, status: int, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Return the JSON of an error.

    >>> error_body("no", 404)["error"]["type"]
    'invalid_request_error'
    """
    kind = "invalid_request_error" if status < 429 else "rate_limit_error" if status == 429 else "server_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


_ENDS: dict[End, tuple[int, str]] = {
    "too_long": (400, "the prompt and the tokens asked for never fit the KV cache of an instance"),
    "queue_full": (429, "the queue of the instance is full (max_waiting); try again later"),
    "policy": (429, "the router turned the request away"),
    "client": (499, "the client hung up"),
    "timeout": (503, "the request waited too long"),
    "aborted": (503, "a policy stopped the request"),
    "failed": (503, "the instance that served the request failed"),
    "shutdown": (503, "the server is shutting down"),
}


def refused_by(end: End) -> Refused:
    """Return what an end without an answer is to the client."""
    status, message = _ENDS[end]
    return Refused(message, status=status, code=end)
