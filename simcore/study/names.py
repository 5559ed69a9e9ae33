"""Names: what a study may name without a file, each with a line of what it is."""

from typing import Literal

Kind = Literal["policies", "models", "hardware", "traces"]
Entry = tuple[str, str]


def named(kind: Kind) -> list[tuple[str, list[Entry]]]:
    """Return (heading, [(name, description)]), headings empty where a kind has only one group."""
    match kind:
        case "policies":
            return _policies()
        case "models":
            return [("", _models())]
        case "hardware":
            return [("", _hardware())]
        case "traces":
            return [("", _traces())]


def _policies() -> list[tuple[str, list[Entry]]]:
    from simcore.study.registry import ROLES, describe, policy_names

    groups = [(role, [(name, describe(name, role)) for name in policy_names(role)]) for role in ROLES]
    return [(role, entries) for role, entries in groups if entries]


def _models() -> list[Entry]:
    from simcore.cost import load_model, model_names

    entries = []
    for name in model_names():
        model = load_model(name)
        active = f", {model.active_parameters / 1e9:.1f} B active" if model.experts else ""
        kv_kb = model.kv_bytes_per_token() / 1024
        entries.append((name, f"{model.parameters / 1e9:.1f} B parameters{active}, {kv_kb:.0f} KiB of KV a token"))
    return entries


def _hardware() -> list[Entry]:
    from simcore.cost import hardware_names, load_hardware

    entries = []
    for name in hardware_names():
        gpu = load_hardware(name)
        speed = f"{gpu.memory_bytes_per_s / 1e12:.2f} TB/s, {gpu.bf16_flops / 1e12:.0f} bf16 TFLOP/s"
        entries.append((name, f"{gpu.name}: {gpu.memory_bytes / 2**30:.0f} GiB, {speed}"))
    return entries


def _traces() -> list[Entry]:
    from traces import catalogue_names, describe

    return [(name, describe(name)) for name in catalogue_names()]
