"""Setting: what a replay needs beside the run: the profile, the model, the GPU, and how many KV blocks there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simcore.cost import Hardware, ModelSpec, kv_blocks, load_hardware, load_model, model_names
from simcore.cost.layers.cost import GRAPH_TOKENS_MAX, LayerProfile, Terms, default_graph_sizes
from simcore.cost.layers.device import shipped
from simcore.cost.layers.file import read_layers
from simcore.cost.layers.folder import import_layers
from simcore.cost.layers.tables import LayerTables, same_model
from simcore.validation.server_run import ServerRun


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run is replayed with.

    kv_blocks: of the instance. logged: the server said so; else they are computed.
    """

    run: ServerRun
    tables: LayerTables
    model: ModelSpec
    hardware: Hardware | None
    kv_blocks: int
    logged: bool

    def cost(self, terms: Terms | None = None, graph_sizes: Sequence[int] | None = None) -> LayerProfile:
        """Return the cost model, with some of its parts."""
        engine = self.run.engine
        if graph_sizes is None:
            graph_sizes = engine.graph_sizes
        if graph_sizes is None:
            graph_sizes = default_graph_sizes(min(2 * engine.max_num_seqs, GRAPH_TOKENS_MAX))
        return LayerProfile(self.model, self.hardware, self.tables, engine.tp, graph_sizes=graph_sizes, terms=terms)


def prepare(run: ServerRun, profile: Path, *, model: str = "", gpu: str = "", blocks: int | None = None) -> Setting:
    """Return the setting of a replay.

    profile: a profile folder, or a file made of one. model, gpu: name or file; "": as the run and the profile say.
    blocks: KV blocks; None: as the server logged them, else what memory allows.

    Raises ValueError for a profile of another model or tp, and for a GPU that is not known but needed.
    """
    engine = run.engine
    named = model or next((name for name in model_names() if same_model(engine.model, name)), "")
    if not named:
        raise ValueError(f"no model ships that is {engine.model}: give its config.json with --model")
    if profile.is_dir():
        tables = import_layers(profile, model=named, gpu=gpu, tp=engine.tp)
    else:
        tables = read_layers(profile)
    dtype = tables.dtype.split("-")[0]
    spec = load_model(named, weights_dtype=dtype)  # type: ignore[arg-type]
    hardware = load_hardware(gpu) if gpu else shipped(tables.gpu)
    logged = blocks is None and engine.kv_blocks is not None
    if blocks is None:
        blocks = engine.kv_blocks
    if blocks is None:
        if hardware is None:
            raise ValueError(f"the run does not say how many KV blocks it had, and no GPU ships that is {tables.gpu}: "
                             "give --kv-blocks, or the GPU's file with --gpu")  # fmt: skip
        blocks = kv_blocks(
            spec,
            hardware,
            engine.tp,
            engine.block_tokens,
            engine.memory_utilization,
            max_num_batched_tokens=engine.max_num_batched_tokens,
            max_num_seqs=engine.max_num_seqs,
        )
    return Setting(run, tables, spec, hardware, blocks, logged)
