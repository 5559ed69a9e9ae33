"""Ablation: what each part of the model is worth, by leaving it out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from simcore.cost.layers.cost import Terms
from simcore.validation.latencies import Latencies
from simcore.validation.replay import Replayed, replay
from simcore.validation.setting import Setting

SATURATED = 0.5
FEWER = 0.95


@dataclass(frozen=True, slots=True)
class Variant:
    """A replay with one part changed; `against` is the replay it differs from."""

    name: str
    replayed: Replayed
    against: Latencies


def ablations(setting: Setting, terms: Terms) -> Iterator[Variant]:
    """Yield a replay for each part that can be left out, and two for the number of KV blocks."""
    run, blocks = setting.run, setting.kv_blocks
    whole = replay(run, setting.cost(terms), blocks)
    base = whole.latencies
    switched = {
        "uneven decodes as even ones": replace(terms, uneven_decodes=False),
        "the longest context alone is no bound": replace(terms, longest_alone=False),
        "uneven decodes beside prefill as even ones": replace(terms, uneven_mixed=False),
        "no small kernels": replace(terms, small_kernels=False),
        "no sampler": replace(terms, sampler=False),
    }
    for name, fewer in switched.items():
        if fewer != terms:
            yield Variant(name, replay(run, setting.cost(fewer), blocks), base)
    yield Variant("tokens between two measured: a straight line, not stairs", _straight(setting, terms), base)
    yield Variant("no padding to CUDA graphs", replay(run, setting.cost(terms, graph_sizes=()), blocks), base)
    if run.hits.any():
        yield Variant("no prefix hits", replay(run, setting.cost(terms), blocks, with_hits=False), base)
    ahead = run.engine.asynchronous
    name = "synchronous scheduling" if ahead else "asynchronous scheduling"
    yield Variant(name, replay(run, setting.cost(terms), blocks, asynchronous=not ahead), base)
    yield Variant("5% fewer KV blocks", replay(run, setting.cost(terms), int(blocks * FEWER)), base)
    most = int(whole.used_blocks.max())
    if most < blocks:
        longest = int((run.prompt + run.output).max()) // run.engine.block_tokens + 1
        few = max(int(most * SATURATED), int(longest / FEWER) + 1)
        starved = replay(run, setting.cost(terms), few)
        yield Variant(f"{few:,} KV blocks of the {most:,} used", starved, base)
        fewest = replay(run, setting.cost(terms), int(few * FEWER))
        yield Variant("5% fewer than these, against these", fewest, starved.latencies)


def _straight(setting: Setting, terms: Terms) -> Replayed:
    tables = replace(setting.tables, stairs=not setting.tables.stairs)
    return replay(setting.run, replace(setting, tables=tables).cost(terms), setting.kv_blocks)
