"""Runs: small workloads on hash engines, for tests of clocks and faults."""

from typing import Any

import numpy as np

from policies.round_robin import RoundRobin
from policies.vllm_v1 import VllmV1
from realbackend.pace import ModelPace
from realbackend.texts import Texts
from simcore.contract import Arrivals
from simcore.cost import Affine
from simcore.simulator.settings import Mechanisms, Settings
from tests.property.cluster.traffic import Traffic
from tests.real.hash_engine import VOCABULARY, HashEngine, undisturbed

MS = 10**9


def requests(*rows: tuple[int, int, int]) -> Traffic:
    """Return a workload, and sink, of requests (arrival in ms, prompt tokens, output tokens)."""
    at_ms, prompts, outputs = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    return Traffic([Arrivals(at_ms * MS, prompts, outputs)])


def settings(**given: Any) -> Settings:
    """Return two instances with room, whose iterations take 10 ms."""
    default: dict[str, Any] = {
        "instances": 2,
        "kv_blocks": 64,
        "cost": Affine(step_ps=10 * MS),
        "make_router": RoundRobin,
        "make_scheduler": VllmV1,
        "record_decisions": True,
        "record_iterations": True,
    }
    return Settings(**(default | given))


def cluster(kind: type[Any], given: Settings, traffic: Traffic, engine: Any = HashEngine, **how: Any) -> Any:
    """Return a run of `kind` on hash engines; `engine` makes one of (blocks, block tokens, host blocks)."""
    hosted = given.mechanisms.host_blocks

    def make_engine(_: int) -> Any:
        return engine(given.kv_blocks, given.block_tokens, hosted)

    how = {"pace": ModelPace(given.cost), "texts": Remembering(VOCABULARY), "make_engine": make_engine} | how
    return kind(given, traffic, traffic, **how)


def same_as_alone(run: Any) -> bool:
    """Return whether every request that finished generated what it does alone."""
    prompts = run.texts.prompts
    return all(tokens == undisturbed(prompts[r], len(tokens)) for r, tokens in run.generated.items())


class Remembering(Texts):
    """Texts that remember every prompt."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__(vocabulary)
        self.prompts: dict[int, list[int]] = {}

    def of(self, request: Any) -> list[int]:
        text = super().of(request)
        self.prompts.setdefault(request.id, text[: request.prompt])
        return text


SWAPS = Mechanisms(preemption="swap", host_blocks=64)
