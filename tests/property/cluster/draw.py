"""Draw: a cluster with any of its mechanisms on, traffic and policies, from one seed."""

import random
from dataclasses import dataclass, replace
from typing import Any

from simcore.contract import Shape
from simcore.simulator.settings import Fault, Mechanisms, Priorities, Settings
from simcore.simulator.topology import Topology
from tests.property.cluster.routers import DrawnRouter, Manner, Reading
from tests.property.cluster.schedulers import (
    Choosy,
    Largest,
    Meddling,
    Pinning,
    Plain,
    Shortest,
    Spilling,
    Switching,
    Urgent,
    Watching,
    put_together,
)
from tests.property.cluster.traffic import MS, Traffic, draw_traffic
from tests.property.draw import Bent, Flat

MECHANISMS = (
    "prefix",
    "swap",
    "links",
    "programs",
    "clients",
    "roles",
    "lanes",
    "pins",
    "ahead",
    "reports",
    "fleet",
    "failures",
    "link_faults",
    "stragglers",
    "max_waiting",
)
HOSTED = ("groups", "keep", "adaptive")
SWITCHES = (*HOSTED, "epochs", "pieces")
"""Mechanisms of context switches; they are drawn apart, beside what they run with."""
LOADS = ("free_blocks", "running", "waiting", "waiting_tokens", "waiting_blocks")
MORE = ("state", "role", "pinned_blocks", "reserved_blocks", "host_free_blocks")
HEARD = ("arrived", "woke", "first_token", "finished", "prefilled", "turn_ended")


class Shared:
    """A cost that grows by a fixed time for every percent of the SMs that a lane does not have."""

    uses_longest = False

    def __init__(self, whole: Flat | Bent, per_pct: int) -> None:
        self.whole, self.per_pct = whole, per_pct

    def line(self, shape: Shape) -> tuple[int, int, int]:
        first, increment, iterations = self.whole.line(shape)
        return first + (100 - shape.sm_pct) * self.per_pct, increment, iterations

    def terms(self, shape: Shape) -> dict[str, float]:
        return {"iteration": self.line(shape)[0] / 1e12}

    def describe(self) -> dict[str, object]:
        return {"kind": "shared"}


@dataclass
class Case:
    """One drawn run. `settings` makes the same settings again, with fresh policies that note into `readings`."""

    seed: int
    names: frozenset[str]
    numbers: dict[str, Any]
    manner: Manner
    scheduler: type[Plain]
    answers: dict[str, Any]
    traffic: Traffic

    def settings(self, readings: list[Reading], **how: Any) -> Settings:
        return Settings(
            make_router=lambda: DrawnRouter(self.seed, self.manner, readings),
            make_scheduler=lambda: self.scheduler(readings=readings, **self.answers),
            seed=self.seed,
            record_decisions=True,
            **self.numbers,
            **how,
        )

    def sink(self) -> Traffic:
        t = self.traffic
        return Traffic(t.parts, t.classes, t.priorities, t.tools, t.patience)

    @property
    def name(self) -> str:
        return f"{'+'.join(sorted(self.names)) or 'plain'}; {self.manner.choose}, {self.scheduler.__name__}"


def draw(seed: int, only: frozenset[str] | None = None) -> Case:
    """Draw a run; of the mechanisms, those in `only`."""
    rnd = random.Random(seed)
    tight = rnd.random() < 0.5
    chance = rnd.choice([0.15, 0.3, 0.6])
    drawn = {name for name in MECHANISMS if rnd.random() < chance}
    names = frozenset(drawn if only is None else drawn & only)
    if "pins" in names and (only is None or "prefix" in only):
        names |= {"prefix"}
    elif "pins" in names:
        names -= {"pins"}
    if "lanes" in names:
        names -= {"roles"}  # two lanes do the work of both roles
    more = random.Random(f"switches {seed}")
    names |= _switches(more, names, only)
    instances = rnd.choice([1, 1, 2, 3, 5]) if not tight else rnd.choice([1, 1, 2, 3])
    size = rnd.choice([16, 16, 1, 4])
    kv_tokens = rnd.choice([160, 320]) if tight else rnd.choice([320, 640, 1280, 4800])
    budget = rnd.choice([64, 128, 512, 2048])
    limits = {
        "max_num_batched_tokens": budget,
        "max_num_seqs": min(budget, rnd.choice([1, 4, 16, 64])),
        "reserve_full_prompt": rnd.random() < 0.5,
    }
    if names & {"lanes", "roles"}:  # else a prompt that starts beside KV that waits may start over for ever
        limits["reserve_full_prompt"] = True
    roles = _roles(rnd, instances) if "roles" in names and instances > 1 else ()
    numbers: dict[str, Any] = {
        "instances": instances,
        "kv_blocks": kv_tokens // size,
        "block_tokens": size,
        "cost": _cost(rnd, "lanes" in names),
        "sample_s": rnd.choice([None, 0.05, 0.030000000001]),
        "mechanisms": _mechanisms(rnd, names, kv_tokens // size),
        "roles": roles,
        "boot_s": rnd.choice([0.0, 0.02, 0.1]),
        "report_s": rnd.choice([0.01, 0.1, 0.25]) if "reports" in names else None,
    }
    if "links" in names:
        numbers |= {"topology": _topology(rnd, instances), "block_bytes": rnd.choice([10**5, 10**6, 1234567])}
    if "epochs" in names:
        patterns = (Priorities("random"), Priorities("markov"), Priorities("markov", stay=0.3))
        often = {"levels": more.choice([2, 2, 5]), "every_iterations": more.choice([1, 7, 25])}
        numbers["priorities"] = replace(more.choice(patterns), **often)
    if "pieces" in names:
        pieces = {"block_pieces": more.choice([1, 64]), "half_rate_bytes": more.choice([0, 1000, 12345])}
        launches = {"serial_launches": more.random() < 0.7, "launch_ps": more.choice([10**5, 10**7])}
        numbers["topology"] = replace(numbers["topology"], **pieces, **launches)
    numbers["mechanisms"] = replace(numbers["mechanisms"], **_hosted(more, names, kv_tokens // size))
    numbers["faults"] = _faults(rnd, names, instances, numbers.get("topology"))
    answers = {
        "seed": seed,
        "every": rnd.choice([1, 3, 17, 100]),
        "below": rnd.choice([0, kv_tokens // size // 3]),
        "swaps": "swap" in names,
        "programs": "programs" in names,
        **limits,
    }
    parts: list[type[Plain]] = [part for part in (Shortest, Largest, Choosy, Meddling, Watching) if rnd.random() < 0.2]
    if "swap" in names and rnd.random() < 0.5:
        parts.append(Spilling)
    if "pins" in names:
        parts.append(Pinning)
    if "epochs" in names:
        parts = [part for part in parts if part is not Shortest] + [Urgent, Switching]
    manner = _manner(rnd, names, bool(roles))
    traffic = draw_traffic(rnd, names, kv_tokens, size, tight)
    return Case(seed, names, numbers, manner, put_together(*parts), answers, traffic)


def _cost(rnd: random.Random, lanes: bool) -> Flat | Bent | Shared:
    kind = rnd.random()
    cost: Flat | Bent
    if kind < 0.4:
        cost = Flat(10 * MS, 0, 0, 0)  # with times on a grid, everything coincides
    elif kind < 0.6:
        cost = Flat(7 * MS, MS // 30, MS // 100, rnd.choice([0, 4 * 10**4, 4 * 10**6]))
    elif kind < 0.8:
        cost = Flat(rnd.randrange(1, 10 * MS), rnd.randrange(MS // 10), rnd.randrange(MS // 10), rnd.randrange(10**7))
    else:
        knots = [0, *sorted(rnd.sample(range(1, 4000), rnd.randrange(1, 8)))]
        slopes = sorted(rnd.randrange(10**7) for _ in knots)
        cost = Bent(knots, slopes, 5 * MS, rnd.choice([0, MS // 100, MS // 3]), rnd.choice([1, 16, 64]))
    return Shared(cost, rnd.choice([0, MS // 10, 3 * MS // 7])) if lanes else cost


def _mechanisms(rnd: random.Random, names: frozenset[str], blocks: int) -> Mechanisms:
    answers: dict[str, Any] = {"lost": rnd.choice(["requeued", "requeued", "failed"])}
    if "prefix" in names:
        answers["prefix_cache"] = rnd.choice(["cold", "cold", "warm"])
    if "swap" in names:
        answers["preemption"] = rnd.choice(["swap", "swap", "recompute"])
        answers["swap"] = rnd.choice(["sync", "async"])
        answers["host_blocks"] = rnd.choice([blocks // 4, blocks, 4 * blocks])
    if "ahead" in names:
        answers["schedule_ahead"] = 1
    if "lanes" in names:
        answers["sm_split"] = rnd.choice([(80, 100), (50, 50), (100, 100), (1, 100), (30, 60)])
        answers["contention"] = rnd.choice(["normalise", "normalise", "none"])
        answers["sm_switch_s"] = rnd.choice([0.0, 0.01, 0.03])
    if "max_waiting" in names:
        answers["max_waiting"] = rnd.choice([1, 3, 10])
    return Mechanisms(**answers)


def _switches(more: random.Random, names: frozenset[str], only: frozenset[str] | None) -> frozenset[str]:
    """Draw mechanisms of context switches; if they are asked for, with the swap they need."""
    drawn = frozenset(name for name in SWITCHES if more.random() < 0.6)
    drawn = drawn & only if only is not None else drawn if more.random() < 0.5 else frozenset()
    if names & {"prefix", "pins", "roles", "lanes", "ahead"} or (only is None and "swap" not in names):
        drawn -= frozenset(HOSTED)
    if "links" not in names:
        drawn -= {"pieces"}
    return drawn | ({"swap"} if drawn & frozenset(HOSTED) else frozenset())


def _hosted(more: random.Random, names: frozenset[str], blocks: int) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    if "groups" in names:
        answers |= {"allocator": "groups", "group_blocks": more.choice([1, 2, 5, 60])}
    if "keep" in names:
        answers |= {"host_copy": "keep", "host_blocks": more.choice([blocks // 2 + 1, blocks, 8 * blocks])}
    if names >= {"groups", "keep"}:
        answers["host_prealloc_blocks"] = more.choice([0, 1, 3])
    if "adaptive" in names:
        answers["swap"] = "adaptive"
    return answers


def _roles(rnd: random.Random, instances: int) -> tuple[str, ...]:
    roles = [rnd.choice(["mixed", "prefill", "decode"]) for _ in range(instances)]
    if "prefill" in roles and "mixed" not in roles and "decode" not in roles:
        roles[0] = "decode"
    if "mixed" not in roles and "prefill" not in roles:
        roles[0] = "prefill"
    return tuple(roles)


def _topology(rnd: random.Random, instances: int) -> Topology:
    def rate() -> int:
        return rnd.choice([10**8, 10**8, 3 * 10**8, 10**9, 10**10 + 7])

    tp, per_node = rnd.choice([(1, 8), (1, 2), (2, 4), (1, 1)])
    return Topology(
        instances=instances,
        tp=tp,
        gpus_per_node=per_node,
        gpus_per_pcie_switch=rnd.choice([1, 1, 2]) if per_node % 2 == 0 else 1,
        nvlink_bytes_per_s=rnd.choice([0, rate()]),
        pcie_bytes_per_s=rate(),
        network_bytes_per_s=rate(),
        nvlink_latency_ps=rnd.choice([0, 1000]),
        pcie_latency_ps=rnd.choice([0, MS, 1001]),
        network_latency_ps=rnd.choice([0, 5 * MS]),
        launch_ps=rnd.choice([0, 0, 10**7]),
    )


def _faults(rnd: random.Random, names: frozenset[str], instances: int, topology: Topology | None) -> tuple[Fault, ...]:
    faults = []

    def date() -> float:
        return rnd.choice([rnd.randrange(100) / 100, rnd.random()])

    for instance in range(instances):
        if "failures" in names and rnd.random() < 0.6:
            faults.append(Fault("instance", instance, date(), rnd.choice([None, 0.01, 0.1, rnd.random()])))
        if "stragglers" in names and rnd.random() < 0.6:
            faults.append(Fault("straggler", instance, date(), rnd.choice([None, 0.1, rnd.random()]), 1.5))
    if topology is not None and "link_faults" in names:
        links = sorted(link.name for link in topology.make_links())
        for name in rnd.sample(links, min(2, len(links))):
            lasting, factor = rnd.choice([(None, 0.333), (0.1, 0.0), (0.05, 0.5), (rnd.random(), 0.001)])
            faults.append(Fault("link", name, date(), lasting, factor))
    rnd.shuffle(faults)
    return tuple(faults)


def _manner(rnd: random.Random, names: frozenset[str], roles: bool) -> Manner:
    every = {name: rnd.choice([2, 3, 5]) for name in ("abort", "reject", "split", "fleet")}
    fleet: tuple[str, ...] = ("scale", "drain", "cancel", "terminate") if "fleet" in names else ()
    if fleet and "roles" in names:
        fleet += ("role",)
    choices = ["least", "free", "hash"] + ["sticky"] * ("programs" in names) + ["cached"] * ("prefix" in names)
    watched = rnd.random() < 0.5
    return Manner(
        choose=rnd.choice(choices),
        watch=tuple(name for name in (*HEARD, "soon") if rnd.random() < 0.6) if watched else (),
        fields=LOADS + MORE,
        caches="prefix" in names,
        period_s=rnd.choice([0.03, 0.05, 0.1]),
        ticks=rnd.choice([0, 40]) if not fleet and not roles else 60,
        holds=rnd.choice([0, 0, 50]),
        abort_every=every["abort"] if rnd.random() < 0.2 else 0,
        reject_every=every["reject"] if rnd.random() < 0.1 else 0,
        split_every=every["split"] if "lanes" in names else 0,
        fleet_every=every["fleet"] if fleet else 0,
        fleet=fleet,
    )
