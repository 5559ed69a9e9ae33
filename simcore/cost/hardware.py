"""Hardware: what one GPU can do, from a YAML file in which every number carries its source.

Datasheet rates are peaks; the shares, passes and fixed times beside them say what kernels achieve, and were derived
from measured tables or are marked as carried over from another GPU.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from typing import Any

from simcore.cost import catalogue

_BYTES = (1e9, 1e13, "bytes, 1e9 to 1e13")
_BYTES_PER_S = (1e9, 1e15, "bytes per second, 1e9 to 1e15")
_FLOPS = (1e12, 1e18, "floating-point operations per second, 1e12 to 1e18")
_SHARE = (0.01, 1.2, "a share of the peak, 0.01 to 1.2")
_FIXED = (0.0, 0.1, "seconds, 0 to 0.1")


def _quantity(bounds: tuple[float, float, str], optional: bool = False, default: Any = MISSING) -> Any:
    """A dataclass field with its bounds; `optional` allows 0, for a unit the GPU does not have.

    A `default` is for hardware made in Python; a file gives every number.
    """
    return field(default=default, metadata={"bounds": bounds, "optional": optional})


@dataclass(frozen=True, slots=True)
class Hardware:
    """One GPU. Links are per direction; FLOP/s are dense.

    memory_bytes: what CUDA reports in total, which is below the printed size by what driver and ECC keep.
    fp8_flops: 0 when there are no FP8 tensor cores; FP8 weights are then multiplied at the bf16 rate.
    link_bytes_per_s: to the other GPUs of the node, NVLink where there is one, else PCIe.
    matmul_share, fp8_matmul_share: of the bf16 and fp8 peak, reached by matrix products bound by compute.
    weights_share: of the memory bandwidth, reached by matrix products bound by bytes.
    attention_share: of the bf16 peak, reached by prefill attention.
    kv_share: of the memory bandwidth, reached by decode attention reading KV.
    link_share: of the link's bandwidth, reached by large all-reduces (above 1 with in-switch reduction).
    prefill_passes, decode_passes: how often the bytes of q, k, v and o seem to be moved by one attention kernel.
    matmul_s, prefill_attention_s, decode_attention_s, kernel_s, allreduce_s: what one such kernel takes with next to
    no work; `kernel_s` is the small element-wise ones'.
    step_s: host time of each step that the GPU waits for.
    network_bytes_per_s: one GPU's part of what the NICs of its node do; 0 when it has none.
    nvlink_copy_share, pcie_copy_share, network_copy_share: of the bandwidth, reached by large copies between GPUs, to
    and from pinned host memory, to another node; `nvlink_copy_share` is 0 when there is no NVLink.
    nvlink_latency_s, pcie_latency_s, network_latency_s: of one crossing; a copy to another GPU or node crosses twice,
    out and in.
    copy_launch_s: host time to launch one copy.
    sources: source of each number. error: how far the roofline with these numbers is from measured operators.
    """

    name: str
    memory_bytes: int = _quantity(_BYTES)
    memory_bytes_per_s: float = _quantity(_BYTES_PER_S)
    bf16_flops: float = _quantity(_FLOPS)
    fp8_flops: float = _quantity(_FLOPS, optional=True)
    link_bytes_per_s: float = _quantity(_BYTES_PER_S)
    pcie_bytes_per_s: float = _quantity(_BYTES_PER_S)
    sms: int = _quantity((1, 10_000, "a count of SMs, 1 to 10000"))
    matmul_share: float = _quantity(_SHARE)
    fp8_matmul_share: float = _quantity(_SHARE)
    weights_share: float = _quantity(_SHARE)
    attention_share: float = _quantity(_SHARE)
    kv_share: float = _quantity(_SHARE)
    link_share: float = _quantity(_SHARE)
    prefill_passes: float = _quantity((0.0, 100.0, "a number of passes, 0 to 100"))
    decode_passes: float = _quantity((0.0, 100.0, "a number of passes, 0 to 100"))
    matmul_s: float = _quantity(_FIXED)
    prefill_attention_s: float = _quantity(_FIXED)
    decode_attention_s: float = _quantity(_FIXED)
    kernel_s: float = _quantity(_FIXED)
    allreduce_s: float = _quantity(_FIXED)
    step_s: float = _quantity(_FIXED)
    network_bytes_per_s: float = _quantity(_BYTES_PER_S, optional=True, default=0)
    nvlink_copy_share: float = _quantity(_SHARE, optional=True, default=0)
    pcie_copy_share: float = _quantity(_SHARE, default=1)
    network_copy_share: float = _quantity(_SHARE, default=1)
    nvlink_latency_s: float = _quantity(_FIXED, default=0)
    pcie_latency_s: float = _quantity(_FIXED, default=0)
    network_latency_s: float = _quantity(_FIXED, default=0)
    copy_launch_s: float = _quantity(_FIXED, default=0)
    sources: Mapping[str, str] = field(default_factory=dict)
    error: str = "not measured"

    def matmul_flops(self, dtype: str) -> float:
        """Return the FLOP/s matrix products with weights of `dtype` reach when compute binds them."""
        if dtype == "fp8" and self.fp8_flops:
            return self.fp8_flops * self.fp8_matmul_share
        return self.bf16_flops * self.matmul_share

    @property
    def nvlink_copy_bytes_per_s(self) -> float:
        """What large copies to another GPU of the node reach over NVLink; 0 without."""
        return self.link_bytes_per_s * self.nvlink_copy_share

    @property
    def pcie_copy_bytes_per_s(self) -> float:
        """What large copies to or from pinned host memory reach."""
        return self.pcie_bytes_per_s * self.pcie_copy_share

    @property
    def network_copy_bytes_per_s(self) -> float:
        """What large copies to or from another node reach; 0 without a network."""
        return self.network_bytes_per_s * self.network_copy_share


def load_hardware(name_or_path: str) -> Hardware:
    """Return a shipped GPU by name, or the GPU a YAML file describes.

    Raises ValueError that lists every problem: unknown and missing keys, values out of bounds, numbers with no source.
    """
    name, where, text = catalogue.read("hardware", name_or_path)
    content = _mapping(where, text)
    known = {f.name: f for f in fields(Hardware) if f.metadata}
    problems = [_unknown_key(key, tuple(known)) for key in content if key not in known and key not in ("name", "error")]
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for key, quantity in known.items():
        value, source, problem = _read(key, content.get(key), quantity.metadata)
        if problem:
            problems.append(problem)
        values[key], sources[key] = (int(value) if quantity.type is int else value), source
    if problems:
        raise ValueError("\n".join(f"{where}: {problem}" for problem in problems))
    error = str(content.get("error", "not measured"))
    return Hardware(name=str(content.get("name", name)), sources=sources, error=error, **values)


def hardware_names() -> tuple[str, ...]:
    """Return the names of the GPUs that ship with simcore, sorted."""
    return catalogue.names("hardware")


def _mapping(where: str, text: str) -> dict[Any, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        content = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        raise ValueError(f"{place}: must be YAML: {error.problem}") from None
    except YAMLError as error:
        raise ValueError(f"{where}: must be YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{where}: must be a mapping, got {type(content).__name__}")
    return content


def _read(key: str, entry: Any, metadata: Mapping[str, Any]) -> tuple[float, str, str]:
    """Return (value, source, problem); the problem is empty when there is none."""
    low, high, rule = metadata["bounds"]
    if entry is None:
        return 0.0, "", f"{key} is missing"
    if not isinstance(entry, dict) or set(entry) != {"value", "source"} or not entry["source"]:
        return 0.0, "", f"{key} must be {{value: ..., source: ...}}, got {entry!r}"
    value = entry["value"]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0, "", f"{key} must be a number, got {value!r}"
    if not (low <= value <= high or (metadata["optional"] and value == 0)):
        return 0.0, "", f"{key} must be {rule}, got {value!r}"
    return value, " ".join(str(entry["source"]).split()), ""


def _unknown_key(key: Any, known: tuple[str, ...]) -> str:
    near = get_close_matches(str(key), known, n=1)
    return f"unknown key {key!r}" + (f" (did you mean {near[0]}?)" if near else f"; have {', '.join(known)}")
