"""Schedulers to draw: each decision a class of its own, put together at will."""

from typing import Any, Literal

from simcore.books.draw import seed_of
from simcore.contract import (
    Actions,
    Admit,
    Blocked,
    Done,
    Finished,
    FirstToken,
    LaneView,
    PinKV,
    Preempt,
    PriorityChanged,
    RequestView,
    Scheduler,
    Stepped,
    TurnEnded,
    Unpin,
    WakeAfter,
    WakeBelow,
)

Reading = tuple[Any, ...]


class Plain(Scheduler):
    """vLLM V1. What the classes below add goes by these settings."""

    def __init__(
        self, *, seed: int, readings: list[Reading], every: int, below: int, swaps: bool, programs: bool, **limits: Any
    ) -> None:
        super().__init__(**limits)
        self.seed, self.readings, self.every, self.below = seed, readings, every, below
        self.swaps, self.programs = swaps, programs
        self.due = every
        self.pinned: dict[int, int] = {}


class Shortest(Plain):
    """Short prompts first."""

    def order(self, request: RequestView) -> int:
        return request.prompt_tokens


class Largest(Plain):
    """The request with the most tokens yields."""

    def victim(self, view: LaneView) -> int:
        return max(view.running, key=lambda r: (view.requests[r].prompt_tokens + view.requests[r].output_tokens, r))


class Choosy(Plain):
    """Declines some requests, and holds the queue when little is free."""

    def admit(self, view: LaneView, request: RequestView) -> Admit:
        if len(view.running) >= 2 and request.prompt_tokens % 3 == 0:
            return "no"
        if view.running and view.free_blocks * 4 < view.kv_blocks:
            return "hold"
        return "yes"


class Spilling(Plain):
    """Odd victims are swapped, even ones dropped, and some go as the mechanism says."""

    def spill(self, view: LaneView, request: RequestView) -> Literal["drop", "swap"] | None:
        return None if request.id % 3 == 2 else "swap" if request.id % 2 else "drop"


class Meddling(Plain):
    """Wakes every few iterations, or when few blocks are free, and takes the newest request out."""

    def on_start(self, view: LaneView) -> Actions:
        return (WakeAfter(self.every), WakeBelow(self.below))

    def on_stepped(self, view: LaneView, fact: Stepped) -> Actions:
        if len(view.running) >= 2:
            newest = view.running[-1]
            yield Preempt(newest, "swap" if self.swaps and newest % 2 else "drop")
        if fact.iteration >= self.due:
            self.due = fact.iteration + self.every
            yield WakeAfter(self.every)
        if view.free_blocks < self.below:
            yield WakeBelow(self.below)

    def on_done(self, view: LaneView, fact: Done) -> Actions:
        self.readings.append(("done", view.instance, str(fact.action), fact.ok))
        return ()


class Watching(Plain):
    """Notes what it sees of its lane."""

    def on_first_token(self, view: LaneView, fact: FirstToken) -> Actions:
        self.readings.append(
            ("first", view.now_s, fact.request, view.lane, view.free_blocks, view.running, view.waiting, view.iteration)
        )
        return ()


class Pinning(Plain):
    """Pins what a turn (without programs: some requests) leaves behind, for a while; lets go when it blocks."""

    def pin(self, view: LaneView, key: int, request: int) -> Actions:
        self.pinned[key] = request
        wait = (0.0, 0.005, 0.02, 0.1, 1.0)[seed_of(self.seed, request) % 5]
        yield PinKV(request, view.now_s + wait)

    def on_turn_ended(self, view: LaneView, fact: TurnEnded) -> Actions:
        self.readings.append(("pins", view.now_s, *view.pins.items(), view.host_free_blocks))
        return self.pin(view, fact.program, fact.request)

    def on_finished(self, view: LaneView, fact: Finished) -> Actions:
        return () if self.programs or fact.request % 2 else self.pin(view, -1 - fact.request, fact.request)

    def on_blocked(self, view: LaneView, fact: Blocked) -> Actions:
        self.readings.append(("blocked", view.now_s, view.lane, fact.request, *view.pins.items()))
        oldest = next((key for key in view.pins if key in self.pinned), None)
        return () if oldest is None else (Unpin(oldest),)


class Urgent(Plain):
    """The most urgent first, by priorities that may change."""

    def order(self, request: RequestView) -> int:
        return request.priority


class Switching(Plain):
    """When priorities change, the least urgent of the batch yields, one by a swap, one by a drop."""

    def on_priority_changed(self, view: LaneView, fact: PriorityChanged) -> Actions:
        running = sorted(view.running, key=lambda r: (-view.requests[r].priority, r))
        seen = [(r, view.requests[r].priority, view.requests[r].host_tokens) for r in (*running, *view.waiting)]
        self.readings.append(("epoch", view.now_s, fact.epoch, view.iteration, view.host_free_blocks, *seen))
        for place, request in enumerate(running[: len(running) // 2]):
            yield Preempt(request, "swap" if self.swaps and place % 3 < 2 else "drop")


def put_together(*parts: type[Plain]) -> type[Plain]:
    """One scheduler that decides all of it."""
    return type("+".join(part.__name__ for part in parts) or "Plain", (*parts, Plain) if parts else (Plain,), {})
