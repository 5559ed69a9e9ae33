"""Slices: the checks by name, each with what it shows; their modules load what they need only when they run."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from realbackend.gpu_checks.findings import Findings

BUDGET_S = 420
"""Seconds after which a slice begins no further part: with the part under way it stays below eight minutes."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and how a slice runs.

    out: a folder for what it writes beside its findings. dry_run: on a CPU, over tiny shapes: only to see that it runs.
    """

    out: Path
    dry_run: bool


Check = Callable[[Findings, Setting], None]


@dataclass(frozen=True, slots=True)
class Slice:
    """A check that has not been loaded yet: `function` of module `module` of this package."""

    shows: str
    module: str
    function: str

    def run(self) -> Check:
        check: Check = getattr(import_module(f"{__package__}.{self.module}"), self.function)
        return check


SLICES = {
    "kernels": Slice("Triton kernels give what plain torch gives, in bf16", "commands", "kernels"),
    "graphs": Slice("engines with graphs, streams and copies give the tokens of plain ones", "commands", "engines"),
    "bandwidth": Slice("how fast kernels and copies move bytes, beside a device copy", "bandwidth", "bandwidth"),
    "switches": Slice("swaps block by block, in groups, and as one copy; what a launch costs", "switches", "switches"),
    "engine": Slice("a decode step of an 8B model against its roofline", "decode_step", "decode_step"),
    "transformers": Slice("the same decode steps by transformers' continuous batching", "transformers_step", "beside"),
    "greenctx": Slice("streams that keep to a part of the multiprocessors", "green_contexts", "green_contexts"),
    "lanes": Slice("prefill and decode by share of the GPU, two lanes at once, switches", "sm_lanes", "sm_lanes"),
    "profile": Slice("a cost model fitted from the engine's own iterations", "commands", "profile"),
    "agents": Slice("an agent's next turn with its KV kept, reloaded, recomputed", "agents", "agents"),
    "migration": Slice("how long a request stands still that moves in stages, by its length", "migration", "migration"),
    "training": Slice(
        "a model of 75 million parameters learns; rollouts beside their simulation", "commands", "training"
    ),
    "wall": Slice("simulated beside measured latencies, in real time", "commands", "wall"),
}
