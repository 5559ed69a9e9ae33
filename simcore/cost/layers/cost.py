"""Cost: a step from a profile of one layer, term by term, each with a switch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from simcore.contract import UNBOUNDED, Shape, to_ps
from simcore.cost.composite import Composite, CountTerm
from simcore.cost.hardware import Hardware
from simcore.cost.layers.attention import BatchAttention
from simcore.cost.layers.counts import MeasuredLayers
from simcore.cost.layers.tables import HEAD, ONCE, PRODUCTS, SMALL, LayerTables
from simcore.cost.layers.uneven import AlphaBuckets, LongestAlone, Ratios
from simcore.cost.model_spec import ModelSpec
from simcore.cost.outside import outside_in_words
from simcore.cost.roofline import AllReduce
from simcore.cost.tables.count_terms import Padded

GRAPH_TOKENS_MAX = 512


@dataclass(frozen=True, slots=True)
class Terms:
    """Which parts of a step are modelled.

    uneven_decodes: decodes alone with uneven histories, as far from the even batch as the profiler fitted.
    longest_alone: and never faster than the longest of them alone.
    uneven_mixed: uneven decodes beside a chunk, as many times slower as was measured.
    small_kernels: norms, activations, rotary and other embeddings.
    sampler: sampling; without it only the logits.
    prefill_step_overhead_s: what each step with a prompt in it takes longer, a declared constant: 0 is nothing fitted.
    """

    uneven_decodes: bool = True
    longest_alone: bool = True
    uneven_mixed: bool = True
    small_kernels: bool = True
    sampler: bool = True
    prefill_step_overhead_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.prefill_step_overhead_s <= 1:
            raise ValueError(f"prefill_step_overhead_s must be in [0, 1] seconds, got {self.prefill_step_overhead_s}")


class LayerProfile(Composite):
    """The cost of `model`, whose layers were profiled with the same tp.

    hardware: gives the all-reduces of tp > 1, which the profile has not; and the GPU must be the profile's.
    graph_sizes: token counts CUDA graphs were captured for; steps are padded up to them. Empty: no padding.

    Raises ValueError for another model, tp or GPU than was measured, and for tp > 1 without hardware.
    """

    def __init__(
        self,
        model: ModelSpec,
        hardware: Hardware | None,
        tables: LayerTables,
        tp: int = 1,
        *,
        graph_sizes: Sequence[int] | None = None,
        terms: Terms | None = None,
    ) -> None:
        model.require_tp(tp)
        tables.require(model, tp, hardware)
        terms = Terms() if terms is None else terms
        sizes = default_graph_sizes() if graph_sizes is None else tuple(graph_sizes)
        dense = _dense(tables, model.layers, terms)
        by_tokens: list[CountTerm] = [*dense]
        if tp > 1:
            if hardware is None:
                raise ValueError(f"tp {tp} needs hardware: the profile has no all-reduces")
            by_tokens.append(AllReduce(model, hardware, tp))
        layers = HEAD if terms.sampler else HEAD[:1]
        head = MeasuredLayers(
            "head", {name: tables.head[name] for name in layers}, dict.fromkeys(HEAD, 1), stairs=False
        )
        attention = _attention(tables, model.layers, terms)
        super().__init__(
            by_tokens=[Padded(term, sizes) for term in by_tokens] if sizes else by_tokens,
            by_sequences=[head],
            lines=[attention, PrefillStep(terms.prefill_step_overhead_s)],
            described={
                "cost": "layers",
                "model": asdict(model),
                "gpu": tables.gpu,
                "tp": tp,
                "graph_sizes": list(sizes),
                "terms": asdict(terms),
                "provenance": dict(tables.provenance),
                "held_out_error": dict(tables.error),
            },
        )
        self._counting: tuple[MeasuredLayers | BatchAttention, ...] = (*dense, head, attention)

    def outside(self) -> dict[str, int]:
        """Return by term how often it was asked outside what was measured so far; terms that never were are left out.

        Attention counts iterations it was asked about; the others each count of tokens or sequences once.
        """
        return {term.name: term.outside for term in self._counting if term.outside}

    def warning(self) -> str | None:
        """Return what to tell the user at the end of a run: how often the profile did not reach, if ever."""
        return outside_in_words(self.outside())


class PrefillStep:
    """What a step with a prompt in it takes beyond its kernels; declared, not measured by the profile."""

    name = "prefill_step"
    uses_longest = False

    def __init__(self, seconds: float) -> None:
        self._ps = to_ps(seconds)

    def line(self, shape: Shape) -> tuple[int, int, int]:
        return (self._ps if shape.chunks else 0), 0, UNBOUNDED


def default_graph_sizes(most: int = GRAPH_TOKENS_MAX) -> tuple[int, ...]:
    """Return the token counts vLLM captures CUDA graphs for by default, up to `most`: 1, 2, 4, by 8 to 256, then by 16.

    `most` itself is min(2 * max_num_seqs, 512) unless a server was told otherwise. Source: vLLM 0.19, VllmConfig.

    >>> default_graph_sizes(32)
    (1, 2, 4, 8, 16, 24, 32)
    """
    return tuple(size for size in (1, 2, 4, *range(8, 256, 8), *range(256, 513, 16)) if size <= most)


def _dense(tables: LayerTables, layers: int, terms: Terms) -> list[MeasuredLayers]:
    times = dict.fromkeys(PRODUCTS, layers) | {name: layers * count for name, count in SMALL.items()}
    times |= dict.fromkeys(ONCE, 1)
    kinds: dict[str, tuple[str, ...]] = {"matmuls": PRODUCTS}
    if terms.small_kernels:
        kinds["elementwise"] = (*SMALL, *ONCE)
    found = []
    for kind, names in kinds.items():
        curves = {name: tables.dense[name] for name in names if name in tables.dense}
        found.append(MeasuredLayers(kind, curves, times, stairs=tables.stairs))
    return found


def _head(tables: LayerTables, terms: Terms) -> MeasuredLayers:
    layers = HEAD if terms.sampler else HEAD[:1]
    return MeasuredLayers("head", {name: tables.head[name] for name in layers}, dict.fromkeys(HEAD, 1), stairs=False)


def _attention(tables: LayerTables, layers: int, terms: Terms) -> BatchAttention:
    alphas = AlphaBuckets(tables.alphas) if tables.alphas is not None and terms.uneven_decodes else None
    alone = LongestAlone.of(tables.uneven) if tables.uneven is not None and terms.longest_alone else None
    ratios = Ratios(tables.uneven) if tables.uneven is not None and terms.uneven_mixed else None
    return BatchAttention(tables.attention, layers, alphas, alone, ratios)
