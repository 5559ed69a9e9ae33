"""Replay: programs against a server: each turn is streamed and timed, each pause is waited for."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from simcore.agents.programs import Program, Prompts, Turn

_LINE_BYTES = 1 << 22
"""The longest line of a stream: a server may send usage and token ids in one."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where programs are sent.

    Args:
        url: of the server, without `/v1`.
        model: None: the first one it has.
        vocabulary: prompts are token ids below it.
        seed: chooses them.
        hints: say which program a turn is of (`job_id`), and whether it is the last (`is_last_step`).
        timeout_s: a turn that takes longer has failed.
        speed: arrivals and pauses pass so many times as fast.
    """

    url: str
    model: str | None = None
    vocabulary: int = 256
    seed: int = 0
    hints: bool = True
    timeout_s: float = 3600.0
    speed: float = 1.0


@dataclass(slots=True)
class Timed:
    """What became of a turn. Dates are seconds since the replay began; `error` says what went wrong, "" nothing."""

    turn: Turn
    program: int
    start_s: float
    first_s: float | None = None
    end_s: float = 0.0
    gaps_s: list[float] = field(default_factory=list)
    output_tokens: int = 0
    error: str = ""


@dataclass(slots=True)
class Job:
    """What became of a program: its turns as far as they were sent; done: none of them failed."""

    program: Program
    turns: list[Timed] = field(default_factory=list)
    done: bool = False

    @property
    def took_s(self) -> float:
        """From its first turn, as it was sent, to its last token."""
        return self.turns[-1].end_s - self.turns[0].start_s


async def replay(programs: Sequence[Program], target: Target) -> tuple[list[Job], str]:
    """Send all programs; return what became of them, in their order, and the name of the model.

    Raises ConnectionError if the server cannot be asked for its models.
    """
    timeout = aiohttp.ClientTimeout(total=target.timeout_s)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector, read_bufsize=_LINE_BYTES) as session:
        sender = _Sender(session, target, await _model(session, target))
        jobs = await asyncio.gather(*(sender.run(program) for program in programs))
    return list(jobs), sender.model


async def _model(session: aiohttp.ClientSession, target: Target) -> str:
    url = f"{target.url}/v1/models"
    try:
        async with session.get(url) as response:
            response.raise_for_status()
            models = [str(each["id"]) for each in (await response.json())["data"]]
    except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as error:
        raise ConnectionError(f"{url}: {type(error).__name__}: {error}") from None
    if target.model is None and not models:
        raise ConnectionError(f"{url}: the server has no model")
    return models[0] if target.model is None else target.model


class _Sender:
    def __init__(self, session: aiohttp.ClientSession, target: Target, model: str) -> None:
        self.model = model
        self._session = session
        self._target = target
        self._prompts = Prompts(target.vocabulary, target.seed)
        self._began = time.perf_counter()

    async def run(self, program: Program) -> Job:
        """Send the turns of a program, one after the other; the first that fails is its last."""
        job = Job(program)
        await self._sleep_until(program.at_s / self._target.speed)
        for turn in program.turns:
            if job.turns:
                await self._sleep_until(job.turns[-1].end_s + turn.gap_s / self._target.speed)
            timed = Timed(turn, program.number, 0.0)
            job.turns.append(timed)
            await self._send(timed, last=turn is program.turns[-1])
            if timed.error:
                break
        else:
            job.done = True
        self._prompts.forget(program.turns[-1])
        return job

    async def _send(self, timed: Timed, *, last: bool) -> None:
        turn, target = timed.turn, self._target
        prompt = self._prompts.of(turn)
        body: dict[str, Any] = {
            "model": self.model,
            "prompt": prompt,
            "max_tokens": turn.output_tokens,
            "min_tokens": turn.output_tokens,
            "ignore_eos": True,
            "temperature": 0.0,
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_token_ids": True,
        }
        if target.hints and timed.program >= 0:
            body |= {"job_id": str(timed.program), "is_last_step": last}
        answer: list[int] = []
        timed.start_s = timed.end_s = self._now_s()
        try:
            async with self._session.post(f"{target.url}/v1/completions", json=body) as response:
                if response.status != 200:
                    timed.error = f"HTTP {response.status}: {(await response.text())[:300]}"
                    return
                async for chunk in _events(response):
                    self._note(timed, chunk, answer)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            timed.error = timed.error or f"{type(error).__name__}: {error}"
        if timed.first_s is None and not timed.error:
            timed.error = "the stream ended without a token"
        self._prompts.answered(turn, prompt + answer)

    def _note(self, timed: Timed, chunk: dict[str, Any], answer: list[int]) -> None:
        now = self._now_s()
        if chunk.get("error"):
            timed.error = str(chunk["error"].get("message") or chunk["error"])
            return
        usage = chunk.get("usage") or {}
        timed.output_tokens = usage.get("completion_tokens", timed.output_tokens)
        if not chunk.get("choices"):
            return
        answer += chunk["choices"][0].get("token_ids") or ()
        if timed.first_s is None:
            timed.first_s = now
        else:
            timed.gaps_s.append(now - timed.end_s)
        timed.end_s = now

    def _now_s(self) -> float:
        return time.perf_counter() - self._began

    async def _sleep_until(self, date_s: float) -> None:
        await asyncio.sleep(max(0.0, date_s - self._now_s()))


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """Yield the JSON of each server-sent event. Raises ValueError for what is none."""
    async for line in response.content:
        data = line.strip()
        if data.startswith(b"data:") and data != b"data: [DONE]":
            content = json.loads(data[5:])
            if not isinstance(content, dict):
                raise ValueError(f"an event must be a JSON object, got {data[5:60]!r}")
            yield content
