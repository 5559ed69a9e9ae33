"""Wild: a router and schedulers that do random legal things in every hook; macro-steps against per-iteration.

No plain half is needed: the same policy runs both ways, and all it saw and all that happened must be equal.
"""

import random
from typing import Any

from simcore.books.draw import seed_of
from simcore.contract import (
    Abort,
    Batch,
    Dispatch,
    Preempt,
    Reject,
    Router,
    Scheduler,
    Touch,
    WakeAfter,
    WakeAt,
    WakeBelow,
)
from simcore.simulator import Settings
from simcore.simulator.simulator import Simulator
from tests.property.draw import Bent, Flat, Rows, itl_gaps, token_times

MS = 10**9


class Dice:
    """Says yes with probability p; its own generator, keyed."""

    def __init__(self, *key):
        self.r = random.Random(seed_of(*key))

    def __call__(self, p):
        return self.r.random() < p


def look(view, notes, tag, cfg):
    """Note all that a router can see; compare `least` with a scan."""
    rows = [
        (
            i.as_of_s if cfg["as_of"] else 0,
            i.free_blocks,
            i.running,
            i.waiting,
            i.preempted,
            i.head_blocks,
            i.waiting_blocks,
            i.waiting_tokens,
        )
        for i in view.instances
    ]
    reqs = [
        (r.id, r.state, r.output_tokens, r.computed_tokens, r.kv_blocks, r.instance, r.preemptions)
        for r in view.requests.values()
    ]
    notes.append((tag, view.now_s, rows, reqs))
    if cfg["scan_least"]:
        ups = view.instances
        for load, key in (
            ("requests", lambda i: i.running + i.waiting),
            ("waiting", lambda i: i.waiting),
            ("running", lambda i: i.running),
            ("waiting_tokens", lambda i: i.waiting_tokens),
        ):
            got, want = view.least(load), min(ups, key=lambda i: (key(i), i.id)).id
            if got != want:
                raise AssertionError(f"least({load}) in {tag}: {got}, scan says {want}")


class WildRouter(Router):
    """Holds, pulls, rejects and aborts requests, sets timers, reads everything, all at random."""

    emits = frozenset({Dispatch, Reject, WakeAt, Abort})

    def __init__(self, seed, cfg, notes):
        self.d, self.cfg, self.notes = Dice(seed, 1), cfg, notes
        self.held, self.aborted, self.actions, self.key, self.ticks = [], set(), 0, 0, 0

    def act(self, view, tag):
        cfg, d, r = self.cfg, self.d, self.d.r
        if d(cfg["look"]):
            look(view, self.notes, tag, cfg)
        out: list[Any] = []
        if d(cfg["least"]):
            out_least = view.least(r.choice(["requests", "waiting", "running", "waiting_tokens"]))
        else:
            out_least = None
        self.notes.append((tag, view.now_s, out_least))
        n = len(view.instances)
        if self.held and d(cfg["pull"]):
            q = self.held.pop(r.randrange(len(self.held)))
            if d(0.05):
                out.append(Reject(q))
            else:
                out.append(Dispatch(q, out_least if out_least is not None else r.randrange(n)))
        if self.actions < cfg["max_actions"] and d(cfg["abort"]):
            alive = [
                q for q in view.requests if q not in self.aborted and q % 2 == 1 and q not in [a.request for a in out]
            ]
            if alive:
                q = r.choice(alive)
                self.aborted.add(q)
                if q in self.held:
                    self.held.remove(q)
                self.actions += 1
                out.append(Abort(q))
        if self.actions < cfg["max_actions"] and d(cfg["wake"]):
            self.actions += 1
            self.key += 1
            now = round(view.now_s * 1e12)
            delay = r.choice(cfg["delays"])
            if delay == "grid":
                at = (now // (10 * MS) + r.randrange(1, 9)) * 10 * MS
            else:
                at = now + delay
            out.append(WakeAt(at / 1e12, self.key))
        acts = [a for a in out if not isinstance(a, WakeAt)]
        if cfg["many"]:
            return tuple(out)
        keep = r.choice(acts) if acts else None
        for a in acts:
            if a is not keep and (
                isinstance(a, Dispatch | Reject)
                or (isinstance(a, Abort) and view.requests[a.request].state == "unrouted")
            ):
                self.held.append(a.request)
        return tuple(a for a in out if a is keep or isinstance(a, WakeAt))

    def on_start(self, view):
        return (*self.act(view, "start"), WakeAt(0.5, "flush"))

    def on_arrived(self, view, fact):
        if self.d(self.cfg["hold"]):
            self.held.append(fact.request)
            return self.act(view, "arrived")
        n = len(view.instances)
        return (Dispatch(fact.request, self.d.r.randrange(n)),)

    def on_rejected(self, view, fact):
        self.notes.append(fact)
        return ()

    def on_first_token(self, view, fact):
        return self.act(view, ("first", fact))

    def on_finished(self, view, fact):
        return self.act(view, ("finished", fact))

    def on_preempted(self, view, fact):
        return self.act(view, ("preempted", fact))

    def on_done(self, view, fact):
        return self.act(view, ("done", fact))

    def on_woke(self, view, fact):
        if fact.key == "flush":
            out: list[Any] = [Dispatch(q, self.d.r.randrange(len(view.instances))) for q in self.held]
            self.held = []
            self.ticks += 1
            if self.ticks < self.cfg["ticks"]:
                out.append(WakeAt(view.now_s + 0.5, "flush"))
            return tuple(out)
        return self.act(view, ("woke", fact))


class WildScheduler(Scheduler):
    """Preempts, aborts, touches and asks to be woken at random, within the rules."""

    def __init__(self, seed, cfg, notes, limits):
        super().__init__(**limits)
        self.seed, self.cfg, self.notes = seed, cfg, notes
        self.d = None
        self.inflight: set[Preempt | Abort] = set()
        self.actions = self.key = 0
        self.marks, self.lows = set(), set()

    def look(self, view, tag):
        live = [
            (r, view.requests[r].output_tokens, view.requests[r].computed_tokens, view.requests[r].kv_blocks)
            for r in view.running
        ]
        self.notes.append((tag, view.now_s, view.instance, view.iteration, view.free_blocks, live, list(view.waiting)))

    def act(self, view, tag):
        if self.d is None:
            self.d = Dice(self.seed, 2, view.instance)
        cfg, d, r = self.cfg, self.d, self.d.r
        if d(cfg["look"]):
            self.look(view, tag)
        out: list[Any] = []
        if self.actions < cfg["max_actions"]:
            if view.running and d(cfg["preempt"]):
                a: Preempt | Abort = Preempt(r.choice(view.running))
                if a not in self.inflight:
                    self.inflight.add(a)
                    self.actions += 1
                    out.append(a)
            alive = [q for q in [*view.running, *view.waiting] if q % 2 == 0]
            if alive and d(cfg["abort"]):
                a = Abort(r.choice(alive))
                if a not in self.inflight:
                    self.inflight.add(a)
                    self.actions += 1
                    out.append(a)
            waiting = [q for q in view.waiting if Abort(q) not in out]
            if waiting and d(cfg["touch"]):
                self.actions += 1
                out.append(Touch(r.choice(waiting)))
            if d(cfg["wake_after"]):
                n = r.choice([1, 2, 3, 7, 50])
                if view.iteration + n not in self.marks:
                    self.actions += 1
                    self.marks.add(view.iteration + n)
                    out.append(WakeAfter(n))
            if d(cfg["wake_below"]):
                n = r.choice(
                    [0, 1, 2, view.free_blocks, view.free_blocks + 1, max(0, view.free_blocks - 3), view.kv_blocks]
                )
                if n not in self.lows:
                    self.actions += 1
                    self.lows.add(n)
                    out.append(WakeBelow(n))
            if d(cfg["wake"]):
                self.actions += 1
                self.key += 1
                now = round(view.now_s * 1e12)
                delay = r.choice(cfg["delays"])
                at = (now // (10 * MS) + r.randrange(1, 9)) * 10 * MS if delay == "grid" else now + delay
                out.append(WakeAt(at / 1e12, self.key))
        acts = [a for a in out if not isinstance(a, WakeAt | WakeAfter | WakeBelow)]
        if cfg["many"]:
            return tuple(out)
        keep = r.choice(acts) if acts else None
        self.inflight -= {a for a in acts if a is not keep}
        return tuple(a for a in out if a is keep or a not in acts)

    def on_start(self, view):
        return self.act(view, "s")

    def on_done(self, view, fact):
        self.inflight.discard(fact.action)
        return self.act(view, ("s", fact))


for hook in ("arrived", "first_token", "finished", "preempted", "stepped", "woke"):
    setattr(WildScheduler, f"on_{hook}", lambda self, view, fact: self.act(view, ("s", fact)))


class Ordering(WildScheduler):
    """Orders by a hash."""

    def order(self, request):
        return (seed_of(self.seed, request.id, request.output_tokens) % 7,)


class Admitting(WildScheduler):
    """Declines by a hash of what it sees."""

    def admit(self, view, request):
        if not view.running:
            return "yes"
        h = seed_of(self.seed, request.id, len(view.running), view.free_blocks, view.iteration) % 8
        return "no" if h < 2 else "hold" if h == 2 else "yes"


class Picking(WildScheduler):
    """Picks victims by a hash."""

    def victim(self, view):
        h = seed_of(self.seed, len(view.running), view.free_blocks)
        return None if h % 5 == 0 else view.running[h % len(view.running)]


class Batching(WildScheduler):
    """Builds whole batches at random, within the rules; a timer unsticks it."""

    def batch(self, view):
        h = random.Random(
            seed_of(
                self.seed,
                view.iteration,
                view.free_blocks,
                len(view.running),
                len(view.waiting),
                round(view.now_s * 1e12),
            )
        )
        free, budget, decodes, prefills = view.free_blocks, self.max_num_batched_tokens, [], []
        if view.running and h.random() < 0.05:
            return Batch((), ())
        room = self.max_num_seqs - len(view.running)
        for r in [*view.running, *view.waiting[: max(0, room)]]:
            q = view.requests[r]
            left = q.prompt_tokens + q.output_tokens - q.computed_tokens
            if h.random() < 0.1:
                if q.state == "waiting":
                    break
                continue
            new = min(left, budget, (free + q.kv_blocks) * view.block_tokens - q.computed_tokens)
            if left > 1 and new > 1 and h.random() < 0.4:
                new = h.randrange(1, new + 1)
            if new < 1:
                if q.state == "waiting":
                    break
                continue
            free -= -(-(q.computed_tokens + new) // view.block_tokens) - q.kv_blocks
            budget -= new
            if q.state == "running" and q.output_tokens and left == 1:
                decodes.append(r)
            else:
                prefills.append((r, new))
        return Batch(decodes, prefills)

    def on_woke(self, view, fact):
        out = self.act(view, ("s", fact))
        if fact.key == "unstick":
            out = (*out, WakeAt(view.now_s + 0.07, "unstick")) if self.key < 500 else out
            self.key += 1
            if view.running and not [a for a in out if isinstance(a, Preempt | Abort)]:
                a = Preempt(view.running[-1])
                if a not in self.inflight:
                    self.inflight.add(a)
                    out = (*out, a)
        return out

    def on_start(self, view):
        return (*self.act(view, "s"), WakeAt(0.07, "unstick"))


class All(Ordering, Admitting, Picking):
    """All three."""


KINDS = [WildScheduler, Ordering, Admitting, Picking, All, Batching]


def draw(seed, **over):
    """Draw a small cluster, its traffic and its policies; `over` fixes some of the dice."""
    rnd = random.Random(seed)
    n = rnd.choice([1, 2, 5, 15, 40])
    size = rnd.choice([16, 4, 1, 2])
    kv_tokens = rnd.choice([32, 64, 160, 320, 1280])
    budget = rnd.choice([2, 4, 8, 32, 64, 256])
    limits = {
        "max_num_batched_tokens": budget,
        "max_num_seqs": min(budget, rnd.choice([1, 2, 4, budget, budget])),
        "reserve_full_prompt": rnd.random() < 0.5,
    }
    grid = rnd.choice([1, 10 * MS, 10 * MS, 5 * MS])
    span = rnd.choice([0, 50, 500, 2000]) * MS
    start = rnd.choice([0, 0, 3 * 10**11])
    times = sorted(start + rnd.randrange(span + 1) // grid * grid for _ in range(n))
    arrivals = []
    for t in times:
        p = 1 + int(rnd.expovariate(1 / rnd.choice([2, 20, 100])))
        o = 1 + int(rnd.expovariate(1 / rnd.choice([0.1, 5, 40])))
        if rnd.random() < 0.95:
            p = min(p, max(1, kv_tokens // 2))
            o = min(o, max(1, kv_tokens - p))
        arrivals.append((t, p, o))
    kind = rnd.random()
    cost: Flat | Bent
    if kind < 0.5:
        cost = Flat(10 * MS, 0, 0, 0)
    elif kind < 0.65:
        cost = Flat(10 * MS, 0, 0, 10 * MS)
    elif kind < 0.75:
        cost = Flat(1, 0, 0, rnd.choice([0, 1]))
    else:
        knots = [0, *sorted(rnd.sample(range(1, 400), rnd.randrange(1, 8)))]
        slopes = sorted(rnd.randrange(0, 3) * 10 * MS for _ in knots)
        cost = Bent(knots, slopes, 10 * MS, rnd.choice([0, 10 * MS]), rnd.choice([1, 16, 64]))
    c = rnd.choice
    cfg = {
        "as_of": True,
        "scan_least": seed % 2 == 0,
        "look": c([0, 0.3, 1]),
        "least": c([0, 0, 0.2, 1]),
        "pull": c([0.2, 0.8]),
        "hold": c([0, 0.5, 1]),
        "abort": c([0, 0.02, 0.2]),
        "wake": c([0, 0.1, 0.5]),
        "preempt": c([0, 0.02, 0.2]),
        "touch": c([0, 0.1]),
        "wake_after": c([0, 0.1, 0.5]),
        "wake_below": c([0, 0.1, 0.5]),
        "delays": ["grid", "grid", 1, 10 * MS, 3 * MS],
        "max_actions": 60,
        "many": c([False, True]),
        "ticks": c([0, 200]),
    }
    cfg.update(over)
    return {
        "instances": c([1, 2, 3, 5]),
        "kv_blocks": max(1, kv_tokens // size),
        "block_tokens": size,
        "cost": cost,
        "arrivals": arrivals,
        "limits": limits,
        "kind": c(KINDS),
        "cfg": cfg,
        "sample": c([None, 0.05, 0.03]),
    }


def run(seed, d, **how):
    rows, notes = Rows(d["arrivals"]), []
    settings = Settings(
        instances=d["instances"],
        kv_blocks=d["kv_blocks"],
        block_tokens=d["block_tokens"],
        cost=d["cost"],
        make_router=lambda: WildRouter(seed, d["cfg"], notes),
        make_scheduler=lambda: d["kind"](seed, d["cfg"], notes, d["limits"]),
        seed=seed,
        sample_s=d["sample"],
        record_decisions=True,
        **how,
    )
    sim = Simulator(settings, rows, rows, keep_spans=True)
    out = sim.run()
    if not sim.live:
        for lane in sim.lanes:
            lane.check()
    return {
        "decisions": rows.kept.get("decisions", []),
        "notes": notes,
        "requests": sorted(rows.kept.get("requests", [])),
        "samples": rows.kept.get("samples", []),
        "tokens": token_times(sim, rows.kept.get("iterations", [])),
        "gaps": itl_gaps(rows),
        "outcome": (
            out.end_ps,
            out.arrived,
            out.finished,
            out.rejected,
            out.cancelled,
            out.unfinished,
            out.preemptions,
            out.iterations,
        ),
    }, out


def check(seed, **over):
    """Assert that one drawn run is the same however its steps are split; return its outcome."""
    d = draw(seed, **over)
    a, out = run(seed, d)
    b, _ = run(seed, d, per_iteration=True)
    ways = [("per_iteration", b)]
    if seed % 3 == 0:
        ways.append(("block_ids", run(seed, d, block_ids=True)[0]))
    for way, b in ways:
        for what in a:
            if a[what] != b[what]:
                if isinstance(a[what], list):
                    for i, (x, y) in enumerate(zip(a[what], b[what], strict=False)):
                        if x != y:
                            raise AssertionError(f"{way} {what} row {i}:\n   macro {x}\n   other {y}")
                    raise AssertionError(
                        f"{way} {what}: {len(a[what])} vs {len(b[what])} rows; tail {a[what][-1:]} {b[what][-1:]}"
                    )
                raise AssertionError(f"{way} {what}: {a[what]} vs {b[what]}")
    return out
