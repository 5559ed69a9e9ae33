"""Backends: what runs a study, on which device, by which clock; and what of the study changes with it."""

import platform
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

from simcore.study.document import Document
from simcore.study.errors import Path, Problem, StudyError
from simcore.study.resolve import Resolved
from simcore.study.schema_cluster import MechanismSpec
from simcore.study.schema_real import RealSpec
from simcore.study.traffic import open_workload
from simcore.study.training_check import training_problems

Name = Literal["sim", "real"]
Device = Literal["cpu", "cuda"]
ClockName = Literal["model", "measured", "wall"]

_BY_HAND = ("--set ", "--seed ", "set(")
"""What places begin with of values that no file holds."""
INSTALL = "pip install 'simcore[real]'"
BINDINGS = "pip install cuda-bindings"


@dataclass(frozen=True, slots=True)
class Backend:
    """What runs the policies.

    device: of the real engine; "" for the simulator.
    clock: "model": durations are the cost model's; "measured": what computing took, in virtual time; "wall": real time.
    """

    name: Name = "sim"
    device: Device | Literal[""] = ""
    clock: ClockName = "model"

    @property
    def alone(self) -> bool:
        """Its runs must not share the machine: they measure it."""
        return self.clock != "model" or self.device == "cuda"


SIMULATOR = Backend()


def choose(name: Name, device: Device | None, clock: ClockName | None) -> Backend:
    """Return the backend a user asked for, defaults filled in. Raises StudyError for what does not go together."""
    if name == "sim":
        if device is not None:
            raise _wrong("--device", "only the real engine runs on a device")
        if clock == "measured":
            raise _wrong("--clock measured", "a simulator computes nothing to measure; model and wall are its clocks")
        return Backend(clock=clock or "model")
    if find_spec("torch") is None:
        raise _wrong("--backend real", f"needs torch, which is not installed: {INSTALL}")
    import torch

    gpu = torch.cuda.is_available()
    if device == "cuda" and not gpu:
        raise _wrong("--device cuda", "torch sees no GPU here; --device cpu runs the same engine on the CPU")
    chosen: Device = device or ("cuda" if gpu else "cpu")
    return Backend("real", chosen, clock or ("wall" if chosen == "cuda" else "measured"))


def instead(document: Document, backend: Backend) -> Document:
    """Return the study as the backend runs it: with the keys of `real.instead` set, and above them what the user set.

    Raises StudyError for a key that cannot be set.
    """
    real = document.data.get("real")
    changes = real.get("instead") if isinstance(real, dict) else None
    if backend.name == "sim" or not isinstance(changes, dict):
        return document
    asked = [(path, place) for path, place in document.values.items() if place.startswith(_BY_HAND)]
    written = document.data
    for key, value in changes.items():
        if not isinstance(key, str) or key.partition(".")[0] == "real":
            raise StudyError([document.problem(("real", "instead", key), "must be a key of the study outside real")])
        place = document.problem(("real", "instead", key), "").place
        document = document.set(key, value, place).unswept(key)
    for path, place in asked:
        if path[0] != "real":
            key = ".".join(map(str, path))
            document = document.set(key, _at(written, path), place).unswept(key)
    return document


def check(document: Document, resolved: Resolved, backend: Backend) -> list[Problem]:
    """Return what of a study, at one of its points, the real engine cannot do."""
    if backend.name == "sim":
        return []
    from realbackend.model.shape import named_shape

    spec, problems = resolved.spec, []
    problems += training_problems(document, resolved, backend.clock)
    try:
        shape = named_shape(spec.real.weights, document.folder)
    except ValueError as error:
        problems.append(document.problem(("real", "weights"), str(error)))
    else:
        longest = max(_longest(resolved, seed) for seed in spec.seeds)
        if longest > shape.positions:
            rule = f"the longest request must fit the {shape.positions:,} positions of the model, got {longest:,}"
            problems.append(document.problem(("workload",), rule))
        if spec.real.stop == "eos" and not shape.eos:
            rule = f"must be length for {spec.real.weights}, whose config names no eos_token_id, got eos"
            problems.append(document.problem(("real", "stop"), rule))
    if spec.cluster.tp != 1:
        problems.append(document.problem(("cluster", "tp"), f"must be 1 on the real engine, got {spec.cluster.tp}"))
    mechanisms: list[tuple[Path, MechanismSpec]] = [(("mechanism",), spec.mechanism)]
    mechanisms += [(("systems", name, "mechanism"), system.mechanism) for name, system in spec.systems.items()]
    for path, mechanism in mechanisms:
        if mechanism.prefix_cache == "warm":
            rule = "must be cold or off on the real engine, which has computed nothing yet, got warm"
            problems.append(document.problem((*path, "prefix_cache"), rule))
        wrong = _cannot_split(backend) if mechanism.sm_split not in (None, "off") else None
        if wrong is not None:
            problems.append(document.problem((*path, "sm_split"), wrong))
    return problems


def _cannot_split(backend: Backend) -> str | None:
    """Return why the lanes of an instance cannot have shares of the device."""
    if backend.device == "cuda" and backend.clock == "measured":
        return "two lanes share a GPU, whose time cannot be told apart: --clock model, or wall"
    if backend.device == "cuda" and backend.clock == "wall" and not _installed("cuda.bindings"):
        return f"on a GPU it needs green contexts by cuda-bindings, which is not installed: {BINDINGS}"
    return None


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def sm_partition(backend: Backend) -> str:
    """Return what the shares of two lanes are on a backend: real, emulated, or not in force."""
    if backend.clock == "model":
        return "modelled: durations are the cost model's"
    if backend.clock == "measured":
        return "emulated: measured on the whole device, and longer by what the cost model says of the share"
    return "green contexts" if backend.device == "cuda" else "not in force: the lanes are threads of one CPU"


def _at(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


def _longest(resolved: Resolved, seed: int) -> int:
    """Return the tokens of the longest request, prompt and output."""
    workload = open_workload(resolved.spec, resolved.trace_file, seed)
    return max(int((piece.prompt_tokens + piece.output_tokens).max()) for piece in workload.pieces())


def real_provenance(real: RealSpec, backend: Backend) -> dict[str, Any]:
    """Return what computed the results: weights, device, versions, and what replaced keys of the study."""
    import torch

    name = torch.cuda.get_device_name() if backend.device == "cuda" else platform.processor() or platform.machine()
    return {
        "weights": real.weights,
        "dtype": real.dtype or default_dtype(backend.device),
        "device": backend.device,
        "device_name": name,
        "torch": torch.__version__,
        "instead": dict(real.instead),
    }


def default_dtype(device: str) -> Literal["fp32", "bf16"]:
    """Return the dtype of weights and KV where a study names none."""
    return "bf16" if device == "cuda" else "fp32"


def _wrong(option: str, message: str) -> StudyError:
    return StudyError([Problem(option, "", message)])
