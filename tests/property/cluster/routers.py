"""A router to draw: where it sends what, what it reads on the way, and what it does to the fleet.

It runs unchanged on the simulator and on the plain cluster; what differs is the views it is given.
"""

from dataclasses import dataclass
from typing import Any

from simcore.books.draw import seed_of
from simcore.contract import (
    Abort,
    Actions,
    Arrived,
    CancelDrain,
    ClusterView,
    Dispatch,
    Done,
    Drain,
    Finished,
    FirstToken,
    InstanceUp,
    InstanceView,
    Migrate,
    Prefilled,
    Reject,
    Role,
    Router,
    Scale,
    SetRole,
    SplitSMs,
    Terminate,
    TurnEnded,
    WakeAt,
    Woke,
)

Reading = tuple[Any, ...]
FIRST, SECOND = ("mixed", "prefill"), ("mixed", "decode")


@dataclass(frozen=True)
class Manner:
    """What a drawn router does. `ticks` timers, `period_s` apart; the rest says how often a tick does it, 0: never."""

    choose: str = "least"
    watch: tuple[str, ...] = ()
    fields: tuple[str, ...] = ("free_blocks", "running", "waiting")
    caches: bool = False
    period_s: float = 0.05
    ticks: int = 0
    holds: int = 0
    abort_every: int = 0
    reject_every: int = 0
    split_every: int = 0
    fleet_every: int = 0
    fleet: tuple[str, ...] = ()
    migrates: int = 0


class DrawnRouter(Router):
    """Places requests by its manner; holds what nobody takes until an instance comes up or a tick."""

    def __init__(self, seed: int, manner: Manner, readings: list[Reading]) -> None:
        self.seed, self.manner, self.readings = seed, manner, readings
        self.held: list[int] = []
        self.homes: dict[int, int] = {}
        self.switching: set[int] = set()
        self.leaving: dict[int, str] = {}
        self.stopped: set[int] = set()
        self.migrating: set[Migrate] = set()
        self.made = self.tick = 0
        emits: set[type] = {Dispatch, WakeAt}
        emits |= {Abort} if manner.abort_every else set()
        emits |= {Reject} if manner.reject_every else set()
        emits |= {SplitSMs} if manner.split_every else set()
        emits |= {Migrate} if manner.migrates else set()
        kinds = {"scale": Scale, "drain": Drain, "cancel": CancelDrain, "terminate": Terminate, "role": SetRole}
        emits |= {kinds[name] for name in manner.fleet}
        self.emits = frozenset(emits)  # type: ignore[misc]

    # -- placing -------------------------------------------------------------------------------------------

    def place(self, view: ClusterView, number: int) -> int | None:
        request = view.requests[number]
        roles = SECOND if request.state == "paused" else FIRST
        able = [instance for instance in view.instances if instance.state == "up" and instance.role in roles]
        if not able:
            return None
        choose = self.manner.choose
        if choose == "sticky" and request.program is not None:
            home = self.homes.get(request.program)
            if home is None or home not in [instance.id for instance in able]:
                home = self.homes[request.program] = min(able, key=_load).id
            return home
        if choose == "free":
            return max(able, key=lambda i: (i.free_blocks, -i.id)).id
        if choose == "cached":
            return max(able, key=lambda i: (i.cached_tokens(number), -i.waiting_tokens, -i.id)).id
        if choose == "hash":
            return able[seed_of(self.seed, number) % len(able)].id
        return min(able, key=_load).id

    def place_all(self, view: ClusterView) -> list[Dispatch]:
        """Let go of all that was held and has a place by the loads as they are."""
        held, self.held = list(dict.fromkeys(self.held)), []  # who was lost may be held twice
        answers = []
        for number in held:
            if number not in view.requests or view.requests[number].state not in ("unrouted", "paused"):
                continue
            chosen = self.place(view, number)
            if chosen is None:
                self.held.append(number)
            else:
                answers.append(Dispatch(number, chosen))
        return answers

    def take(self, view: ClusterView, number: int) -> Actions:
        chosen = self.place(view, number)
        if chosen is None:
            self.held.append(number)
            return ()
        return (Dispatch(number, chosen),)

    def look(self, view: ClusterView, what: str, about: object, number: int | None = None) -> None:
        if what not in self.manner.watch:
            return
        rows: list[Any] = [tuple(getattr(i, name) for name in self.manner.fields) for i in view.instances]
        if self.manner.caches and number is not None:
            rows.append(tuple(i.cached_tokens(number) for i in view.instances))
        self.readings.append((what, view.now_s, about, *rows))

    # -- what happens --------------------------------------------------------------------------------------

    def on_start(self, view: ClusterView) -> Actions:
        self.held.clear()  # who still waits is told again
        self.migrating.clear()
        return (WakeAt(self.manner.period_s, "tick"),) if self.manner.ticks else ()

    def on_arrived(self, view: ClusterView, fact: Arrived) -> Actions:
        self.look(view, "arrived", fact.request, fact.request)
        if (
            self.manner.holds
            and self.tick < self.manner.ticks
            and seed_of(self.seed, fact.request) % 100 < self.manner.holds
        ):
            self.held.append(fact.request)
            return ()
        return self.take(view, fact.request)

    def on_prefilled(self, view: ClusterView, fact: Prefilled) -> Actions:
        self.look(view, "prefilled", fact.request)
        return self.take(view, fact.request)

    def on_first_token(self, view: ClusterView, fact: FirstToken) -> Actions:
        self.look(view, "first_token", fact.request)
        return ()

    def on_finished(self, view: ClusterView, fact: Finished) -> Actions:
        self.look(view, "finished", fact.request)
        return (WakeAt(view.now_s, fact.request),) if "soon" in self.manner.watch else ()

    def on_turn_ended(self, view: ClusterView, fact: TurnEnded) -> Actions:
        self.look(view, "turn_ended", (fact.request, fact.program, fact.tool))
        return ()

    def on_instance_up(self, view: ClusterView, fact: InstanceUp) -> Actions:
        return self.place_all(view)

    def on_done(self, view: ClusterView, fact: Done) -> Actions:
        self.readings.append((str(fact.action), fact.ok))
        match fact.action:
            case Migrate():
                self.readings.append((view.now_s, fact.why))
                self.migrating.discard(fact.action)
            case SplitSMs(instance=instance):
                self.switching.discard(instance)
            case Drain(instance=instance) | SetRole(instance=instance):
                self.leaving.pop(instance, None)
        return ()

    def on_woke(self, view: ClusterView, fact: Woke) -> Actions:
        self.look(view, "woke", fact.key)
        if fact.key != "tick":
            return ()
        self.tick += 1
        actions: list[Any] = (
            [WakeAt(view.now_s + self.manner.period_s, "tick")] if self.tick < self.manner.ticks else []
        )
        actions += self.migrate(view)
        if self.due(self.manner.fleet_every):
            return actions + self.meddle(view)
        if self.due(self.manner.split_every):
            return actions + self.split(view)
        if self.due(self.manner.abort_every):
            alive = sorted(number for number in view.requests if number % 5 == 3 and number not in self.stopped)
            if alive:
                return [*actions, *self.stop(alive[0])]
        held = [number for number in self.held if number in view.requests]
        if self.due(self.manner.reject_every) and held and view.requests[held[0]].state == "unrouted":
            self.held = [number for number in self.held if number != held[0]]
            return [*actions, Reject(held[0])]
        return actions + self.place_all(view)

    def due(self, every: int) -> bool:
        return every > 0 and self.tick % every == 0

    def stop(self, number: int) -> list[Abort]:
        self.stopped.add(number)
        return [Abort(number)]

    # -- the fleet -----------------------------------------------------------------------------------------

    def split(self, view: ClusterView) -> list[SplitSMs]:
        chosen = view.instances[seed_of(self.seed, self.tick, 1) % len(view.instances)]
        if chosen.id in self.switching or chosen.state != "up":
            return []
        self.switching.add(chosen.id)
        first, second = 10 + seed_of(self.seed, self.tick, 2) % 91, 10 + seed_of(self.seed, self.tick, 3) % 91
        return [SplitSMs(chosen.id, first, second)]

    def migrate(self, view: ClusterView) -> list[Migrate]:
        """Move somebody from anywhere to anywhere, so many times."""
        up = [instance.id for instance in view.instances if instance.state == "up"]
        actions = []
        for turn in range(self.manner.migrates if len(up) > 1 else 0):
            src, dst = (up[seed_of(self.seed, self.tick, turn, end) % len(up)] for end in (7, 8))
            there = [r.id for r in view.requests.values() if r.instance == src]
            kind = seed_of(self.seed, self.tick, turn, 9) % 4
            named = sorted(there)[seed_of(self.seed, self.tick, turn, 10) % len(there)] if there and kind else None
            action = Migrate(src, dst, named)
            if src != dst and action not in self.migrating:
                self.migrating.add(action)
                actions.append(action)
        return actions

    def meddle(self, view: ClusterView) -> list[Any]:
        what = self.manner.fleet[seed_of(self.seed, self.tick, 4) % len(self.manner.fleet)]
        if what == "scale":
            self.made += 1
            return [Scale(1 + self.made % 2)] if self.made <= 2 else []
        chosen = view.instances[seed_of(self.seed, self.tick, 5) % len(view.instances)]
        if what == "cancel":
            if self.leaving.get(chosen.id) == "drain" and chosen.state == "draining":
                return [CancelDrain(chosen.id)]
            return []
        up = sum(instance.state == "up" for instance in view.instances)
        if chosen.state != "up" or (what in ("drain", "terminate") and up < 2):
            return []
        if what == "terminate":
            return [Terminate(chosen.id)]
        self.leaving[chosen.id] = what
        if what == "drain":
            return [Drain(chosen.id)]
        roles: tuple[Role, ...] = ("mixed", "prefill", "decode")
        return [SetRole(chosen.id, roles[seed_of(self.seed, self.tick, 6) % 3])]


def _load(instance: InstanceView) -> tuple[int, int]:
    return instance.running + instance.waiting, instance.id
