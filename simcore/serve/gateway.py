"""Gateway: between the event loop of the HTTP server and the thread that drives the run."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

from simcore.simulator.calls import Call, End, News
from simcore.simulator.served import Served

Found = TypeVar("Found")


class Answer:
    """What comes back for one call, kept until it is asked for: a slow reader holds up nobody but itself."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self._news: asyncio.Queue[tuple[list[int], End | None]] = asyncio.Queue()

    def put(self, tokens: list[int], end: End | None) -> None:
        self._news.put_nowait((tokens, end))

    async def more(self) -> tuple[list[int], End | None]:
        """Wait for news; return the tokens of an iteration, and the end if it was the last."""
        return await self._news.get()


class Gateway:
    """Brings calls to a run and news back to the coroutines that wait for them. Of one event loop."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._loop: asyncio.AbstractEventLoop | None = None
        self._answers: dict[Call, Answer] = {}
        self.ends: dict[End, int] = {}
        """How many calls ended so."""
        self.prompt_tokens = self.generated_tokens = 0
        served.open_to(self._hear)

    @property
    def is_open(self) -> bool:
        """Calls are let in."""
        return self._served.is_open

    def ask(self, call: Call) -> Answer:
        """Bring a call in, from the event loop; return where its answer comes."""
        self._loop = asyncio.get_running_loop()
        answer = self._answers[call] = Answer(call)
        self._served.come(call)
        return answer

    def hang_up(self, call: Call) -> None:
        """Give a call up."""
        if call in self._answers:
            self._served.hang_up(call)

    async def read(self, question: Callable[[Served], Found]) -> Found:
        """Return what `question` reads from the books, between two events of the run."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Found] = loop.create_future()

        def put(value: Found) -> None:
            if not found.done():
                found.set_result(value)

        def read() -> None:
            loop.call_soon_threadsafe(put, question(self._served))

        self._served.ask(read)
        return await asyncio.wait_for(found, timeout=10)

    def totals(self) -> Mapping[str, int]:
        """Return counts of all calls so far, by the end of their metrics' names."""
        return {"prompt_tokens": self.prompt_tokens, "generation_tokens": self.generated_tokens}

    def _hear(self, news: list[News]) -> None:
        """On the driving thread: one message to the loop for all of it."""
        assert self._loop is not None, "whoever calls has a loop"
        try:
            self._loop.call_soon_threadsafe(self._deliver, news)
        except RuntimeError:
            return  # the loop is closed, and nobody waits any more

    def _deliver(self, news: list[News]) -> None:
        for call, tokens, end in news:
            self.generated_tokens += len(tokens)
            if end is not None:
                self.ends[end] = self.ends.get(end, 0) + 1
                answer = self._answers.pop(call)
            else:
                answer = self._answers[call]
                if not tokens:
                    self.prompt_tokens += len(call.prompt)
            answer.put(tokens, end)
