"""Traffic to draw: programs with shared heads, gaps and streams, classes, clients that give up. Ties on purpose."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simcore.contract import Arrivals, Heads, Patience

MS = 10**9


@dataclass
class Traffic:
    """A workload that holds everything, and a sink that keeps everything."""

    parts: list[Arrivals]
    classes: tuple[str, ...] = ("default",)
    priorities: tuple[int, ...] = (0,)
    tools: tuple[str, ...] = ()
    patience: tuple[Patience, ...] = ()
    name: str = "drawn"
    source: str = "drawn"
    rate: float = 1.0
    kept: dict[str, list[Any]] = field(default_factory=dict)

    def pieces(self) -> Iterator[Arrivals]:
        yield from self.parts

    def __getattr__(self, name: str) -> Any:
        if name in ("requests", "steps", "gaps", "samples", "iterations", "decisions"):
            return lambda rows: self.kept.setdefault(name, []).extend(rows)
        raise AttributeError(name)


def draw_traffic(rnd: random.Random, names: frozenset[str], kv_tokens: int, block: int, tight: bool) -> Traffic:
    """Draw up to some eighty requests that mostly fit `kv_tokens`; `tight`: many at once, and long answers."""
    n = rnd.choice([1, 5, 20, 40, 80])
    rate = rnd.choice([0, 100, 1000]) if tight else rnd.choice([0, 10, 100, 1000])
    grid = rnd.choice([1, 10 * MS])
    prompt_mean, output_mean = rnd.choice([8, 60, 200, 600]), rnd.choice([1, 10, 40, 120])
    if tight:
        prompt_mean, output_mean = rnd.choice([8, 30]), rnd.choice([20, 40, 80])
    time = 0.0
    rows: list[dict[str, Any]] = []
    fits = rnd.random() < 0.9
    programs = "programs" in names
    heads = _heads(rnd, block) if "prefix" in names else []
    program = 0
    while len(rows) < n:
        time += rnd.expovariate(rate) if rate else 0.0
        at = int(time * 1e12) // grid * grid
        turns = rnd.choice([1, 1, 2, 3, 6]) if programs else 1
        belongs = programs and (turns > 1 or rnd.random() < 0.5)
        head = rnd.choice(heads) if heads and rnd.random() < 0.7 else ()
        stream = rnd.choice([-1, *range(8)]) if not belongs else 100 + program
        history, one = 0, []
        for turn in range(turns):
            prompt = history + 1 + int(rnd.expovariate(1 / prompt_mean))
            output = 1 + int(rnd.expovariate(1 / output_mean))
            if fits:
                prompt = min(prompt, max(1, kv_tokens // 2))
                output = min(output, max(1, kv_tokens - prompt))
            if prompt < history:
                break
            history = prompt + output
            gap = rnd.choice([0, 0, 10 * MS, int(rnd.expovariate(1 / (50 * MS))) // grid * grid]) if turn else 0
            cut = tuple((key, end) for key, end in head if end <= prompt)
            cancel = rnd.choice([-1, -1, -1, rnd.randrange(40) * 10 * MS]) if "clients" in names else -1
            numbers = {"at": at, "prompt": prompt, "output": output, "turn": turn, "gap": gap, "head": cut}
            more = {"program": program if belongs else -1, "stream": stream, "cancel": cancel}
            one.append({**numbers, **more, "class": rnd.randrange(2), "tool": rnd.choice([-1, 0, 1])})
        rows += one
        program += belongs
    return _traffic(rnd, names, rows)


def _heads(rnd: random.Random, block: int) -> list[tuple[tuple[int, int], ...]]:
    """Beginnings that share their own beginnings."""
    heads, key = [], 0
    for _ in range(rnd.choice([1, 3])):
        base, end = [], 0
        for _ in range(rnd.choice([1, 2, 4])):
            end += rnd.choice([block, 3 * block, 17, 64])
            key += 1
            base.append((key, end))
            heads.append(tuple(base))
    return heads


def _traffic(rnd: random.Random, names: frozenset[str], rows: list[dict[str, Any]]) -> Traffic:
    middle = next((i for i in range(len(rows) // 2, len(rows)) if rows[i]["turn"] == 0), len(rows))
    patience: tuple[Patience, ...] = ()
    if "clients" in names:
        draws = [rnd.choice([None, None, rnd.randrange(1, 60) * 10 * MS]) for _ in range(4)]
        patience = (Patience(draws[0], draws[1]), Patience(draws[2], draws[3]))
    streams = "prefix" in names and rnd.random() < 0.4
    parts = [_piece(rows[part], names, streams) for part in (slice(None, middle), slice(middle, None))]
    return Traffic(parts, ("calm", "urgent"), (1, 0), ("search", "shell"), patience)


def _piece(rows: list[dict[str, Any]], names: frozenset[str], streams: bool) -> Arrivals:
    def column(name: str) -> Any:
        return np.array([row[name] for row in rows], dtype=np.int64)

    programs = "programs" in names
    ends = [end for row in rows for _, end in row["head"]]
    keys = [key for row in rows for key, _ in row["head"]]
    offsets = np.cumsum([0, *(len(row["head"]) for row in rows)])
    ints = (np.array(values, dtype=np.int64) for values in (offsets, keys, ends))
    return Arrivals(
        column("at"),
        column("prompt"),
        column("output"),
        request_class=column("class"),
        program=column("program") if programs else None,
        turn=column("turn") if programs else None,
        gap_ps=column("gap") if programs else None,
        tool=column("tool") if programs else None,
        stream=column("stream") if streams else None,
        head=Heads(*ints) if "prefix" in names else None,
        cancel_ps=column("cancel") if "clients" in names else None,
    )
