"""Drawn runs: the clusters of tests/property/cluster, on engines that notice any KV that is wrong.

By hand: `python -m tests.real.drawn --n 1000 [--first SEED] [--only swap,prefix]`.
"""

import argparse
import sys
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any

from joblib import Parallel, delayed

from realbackend.cluster import RealCluster
from realbackend.pace import ModelPace
from realbackend.texts import Texts
from simcore.simulator.simulator import Simulator
from tests.property.cluster.draw import Case, draw
from tests.property.cluster.routers import Reading
from tests.property.cluster.run import first_difference
from tests.real.hash_engine import VOCABULARY, HashEngine, undisturbed

COUNTED = (
    *("swap_ins", "handoffs", "prefix_hit_tokens", "requests_requeued", "migrations", "migrated_blocks", "reloads"),
)


class Watched(Texts):
    """Texts that remember every prompt."""

    def __init__(self) -> None:
        super().__init__(VOCABULARY)
        self.prompts: dict[int, list[int]] = {}

    def of(self, request: Any) -> list[int]:
        text = super().of(request)
        self.prompts.setdefault(request.id, text[: request.prompt])
        return text

    def add(self, request: Any, position: int, token: int) -> int | None:
        before = super().add(request, position, token)
        assert before in (None, token), f"request {request.id} gave {token} for {position}, and {before} before"
        return before


def check(seed: int, only: frozenset[str] | None = None, engine: type[HashEngine] = HashEngine) -> Counter[str]:
    """Assert that decisions equal the simulator's, and that tokens equal those of each request alone."""
    case = sound(draw(seed, only))
    expected: list[Reading] = []
    rows = case.sink()
    simulated = Simulator(case.settings(expected), rows, rows).run()
    met = Counter({"runs": 1})
    for late in (False, True):
        where = f"seed {seed} ({case.name}), {'late' if late else 'early'} copies"
        readings: list[Reading] = []
        settings, kept, texts = case.settings(readings), case.sink(), Watched()
        storages = settings.kv_blocks, settings.block_tokens, settings.mechanisms.host_blocks
        cluster = RealCluster(
            settings,
            kept,
            kept,
            make_engine=partial(_made, engine, storages),
            pace=ModelPace(settings.cost),
            texts=texts,
            late_copies=late,
        )
        outcome = cluster.run()
        for what in ("decisions", "requests", "samples"):
            ours, theirs = kept.kept.get(what, []), rows.kept.get(what, [])
            assert ours == theirs, f"{where}: {what} differ{first_difference(ours, theirs)}"
        assert readings == expected, f"{where}: readings differ"
        assert outcome.finished == simulated.finished == len(cluster.generated), where
        for request, tokens in cluster.generated.items():
            alone = undisturbed(texts.prompts[request], len(tokens))
            assert tokens == alone, f"{where}: request {request} generated other tokens than alone"
        met.update(finished=outcome.finished, preemptions=outcome.preemptions)
        counters = dict.fromkeys(COUNTED, 0) | outcome.counters
        met.update({name: counters[name] for name in COUNTED})
    return met


def _made(engine: type[HashEngine], storages: tuple[int, int, int], _: int) -> HashEngine:
    return engine(*storages)


def sound(case: Case) -> Case:
    """Return the case as an engine can run it: caches start cold, and only turns extend each other's text."""
    mechanisms = case.numbers["mechanisms"]
    if mechanisms.prefix_cache == "warm":
        case.numbers["mechanisms"] = replace(mechanisms, prefix_cache="cold")
    case.traffic.parts = [replace(part, stream=None) for part in case.traffic.parts]
    return case


def run(seeds: range, only: frozenset[str] | None) -> tuple[Counter[str], list[str]]:
    totals: Counter[str] = Counter()
    failures = []
    for seed in seeds:
        try:
            totals.update(check(seed, only))
        except Exception as error:
            failures.append(f"seed {seed}: {type(error).__name__}: {error}")
    return totals, failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1000, help="how many random runs")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--only", default=None, help="mechanisms that may be drawn")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    only = None if given.only is None else frozenset(filter(None, given.only.split(",")))
    last = given.first + given.n
    pieces = [range(start, min(start + 25, last)) for start in range(given.first, last, 25)]
    totals: Counter[str] = Counter()
    failures: list[str] = []
    for part, failed in Parallel(n_jobs=given.jobs)(delayed(run)(piece, only) for piece in pieces):
        totals.update(part)
        failures.extend(failed)
    for failure in failures[:20]:
        print(failure)
    equal = given.n - len(failures)
    print(f"{equal} of {given.n} random runs: decisions, readings and rows as simulated, tokens as alone")
    print(", ".join(f"{name} {count:,}" for name, count in totals.items()))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
