"""Plan: a study as a list of cells, one per system, sweep point and seed, each named by what decides its result.

A cell's hash covers the resolved model, GPU, traffic (a trace file by its bytes), policies with their source, and the
sources of simcore itself. Names of systems and points are not in it: they change no result, and no random draw.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from itertools import product
from math import prod
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from simcore import __version__
from simcore.cost import Hardware, ModelSpec
from simcore.cost.profiles import Profile
from simcore.study.backends import SIMULATOR, Backend, check, instead
from simcore.study.document import Document
from simcore.study.errors import Problem, StudyError, shown
from simcore.study.registry import source_file
from simcore.study.resolve import ChosenPolicy, Resolved, System, resolve
from simcore.study.schema import StudySpec

if TYPE_CHECKING:
    from simcore.simulator.settings import Mechanisms
    from simcore.simulator.topology import Topology

POINTS_MAX = 10_000
SHOWN_ONLY = tuple(
    f"simcore/{part}/"
    for part in (
        *("agents", "capacity", "commands", "data/report", "fidelity", "report", "results/plots", "serve"),
        "validation",
    )
)
"""Sources that ask for runs or show them: a change there leaves finished cells as they are."""
FIXED = ("study", "question", "systems", "sweep", "seeds", "claims", "real")
"""First steps a sweep may not take alone: what they name is the comparison itself."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to run, where it leaves a trace in the files of a cell."""

    per_iteration: bool = False
    iterations: bool = False
    decisions: bool = False
    backend: Backend = SIMULATOR


@dataclass(frozen=True, slots=True)
class PolicyUse:
    """A policy by a reference that works in any process on this machine, its arguments, its file and its hash."""

    reference: str
    arguments: Mapping[str, Any]
    file: FilePath
    source: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One run. Picklable, and complete: nothing else is read to run it but the files it names.

    Args:
        point: swept key -> value.
        hash: names the result; equal hashes are equal results.
    """

    system: str
    point: Mapping[str, Any]
    seed: int
    hash: str
    spec: StudySpec
    model: ModelSpec
    hardware: Hardware
    profile: Profile | None
    kv_blocks: int
    block_bytes: int
    mechanisms: "Mechanisms"
    topology: "Topology | None"
    trace_file: FilePath | None
    router: PolicyUse
    scheduler: PolicyUse
    options: Options
    rollout: PolicyUse | None = None

    @property
    def policy_files(self) -> tuple[FilePath, ...]:
        """The files of its policies."""
        return tuple(use.file for use in (self.router, self.scheduler, self.rollout) if use is not None)

    @property
    def label(self) -> str:
        return cell_label(self.system, self.point, self.seed)


def cell_label(system: str, point: Mapping[str, Any], seed: int) -> str:
    """Return a cell in words.

    >>> cell_label("round_robin", {"workload.rate": 8}, 0)
    'round_robin at workload.rate=8, seed 0'
    """
    where = ", ".join(f"{key}={value}" for key, value in point.items())
    return f"{system}{f' at {where}' if where else ''}, seed {seed}"


def plan(document: Document, options: Options) -> tuple[Resolved, list[Cell]]:
    """Return the first sweep point, resolved, and all cells, ordered by system, point, seed.

    Raises StudyError with everything that is wrong.
    """
    document = instead(document, options.backend)
    resolved = resolve_points(document)
    problems = [problem for _, at_point in resolved for problem in check(document, at_point, options.backend)]
    if problems:
        raise StudyError(list(dict.fromkeys(problems)))
    spec = resolved[0][1].spec
    return resolved[0][1], [
        cell(name, point, seed, at_point, at_point.systems[name], options)
        for name in spec.systems
        for point, at_point in resolved
        for seed in spec.seeds
    ]


def resolve_points(document: Document) -> list[tuple[Mapping[str, Any], Resolved]]:
    """Return every sweep point, resolved. Raises StudyError with the problems of all points, each once."""
    problems = list(document.problems)
    resolved = []
    for point, at_point in sweep_points(document, problems):
        result, wrong = resolve(at_point)
        if result is not None:
            resolved.append((point, result))
        problems += wrong
    if problems:
        # What is wrong at several points is said once, at the first.
        once: dict[tuple[str, str], Problem] = {}
        for problem in problems:
            once.setdefault((problem.path, problem.message), problem)
        raise StudyError(sorted(once.values(), key=_in_file_order))
    return resolved


def sweep_points(document: Document, problems: list[Problem]) -> Iterator[tuple[Mapping[str, Any], Document]]:
    """Yield each point of the grid, in the order of the file, the last key fastest; note what is wrong."""
    sweep = document.data.get("sweep")
    if not isinstance(sweep, dict) or not all(isinstance(values, list) and values for values in sweep.values()):
        yield {}, document
        return
    for key in sweep:
        if key in FIXED or key.partition(".")[0] in ("sweep", "seeds"):
            problems.append(document.problem(("sweep", key), f"'{key}' cannot be swept", at_key=True))
            return
    for key, values in sweep.items():
        for index, value in enumerate(values):
            # To Python, true is 1.
            same_kind = [each for each in values[:index] if isinstance(each, bool) == isinstance(value, bool)]
            if value in same_kind:
                problems.append(document.problem(("sweep", key, index), f"names {shown(value)} twice"))
    points = prod(map(len, sweep.values()))
    if points > POINTS_MAX:
        problems.append(document.problem(("sweep",), f"has {points} points; at most {POINTS_MAX} make a study"))
        return
    indices = [range(len(values)) for values in sweep.values()]
    for chosen in product(*indices):
        at_point, point = document, {}
        try:
            for (key, values), index in zip(sweep.items(), chosen, strict=True):
                place = document.problem(("sweep", key, index), "").place
                key_place = document.problem(("sweep", key), "").place
                at_point = at_point.set(key, values[index], place, key_place=key_place)
                point[key] = values[index]
        except StudyError as error:
            problems += error.problems
            continue
        yield point, at_point


def cell(name: str, point: Mapping[str, Any], seed: int, resolved: Resolved, system: System, options: Options) -> Cell:
    """Return the cell of one system at one point with one seed."""
    router, scheduler = policy_use(system.router), policy_use(system.scheduler)
    rollout = None if system.rollout is None else policy_use(system.rollout)
    spec = resolved.spec
    content = {
        "simcore": __version__,
        "code": code_hash(options.backend.name),
        "real": spec.real.model_dump(exclude={"instead"}) if options.backend.name == "real" else None,
        "model": asdict(resolved.model),
        "hardware": asdict(resolved.hardware),
        "profile": None
        if resolved.profile is None
        else [resolved.profile.sha256, resolved.profile.prefill_step_overhead_s],
        "cluster": {**spec.cluster.model_dump(), "kv_blocks": system.kv_blocks},
        "workload": _workload(resolved),
        "router": _policy(router),
        "scheduler": _policy(scheduler),
        "rollout": None if spec.rollout is None or rollout is None else [spec.rollout.model_dump(), _policy(rollout)],
        "mechanism": asdict(system.mechanisms),
        "faults": [fault.model_dump(exclude_none=True) for fault in spec.faults],
        "oracle": sorted(spec.oracle),
        "slo": spec.slo.model_dump(),
        "warm_up": spec.warm_up.model_dump(),
        "sample_s": spec.sample_s,
        "seed": seed,
        "options": asdict(options),
    }
    return Cell(
        system=name,
        point=point,
        seed=seed,
        hash=content_hash(content),
        spec=spec,
        model=resolved.model,
        hardware=resolved.hardware,
        profile=resolved.profile,
        kv_blocks=system.kv_blocks,
        block_bytes=resolved.block_bytes,
        mechanisms=system.mechanisms,
        topology=system.topology,
        trace_file=resolved.trace_file,
        router=router,
        scheduler=scheduler,
        options=options,
        rollout=rollout,
    )


def policy_use(chosen: ChosenPolicy) -> PolicyUse:
    """Return a policy with a hash of the files that define it and its base classes."""
    sources = b"".join(source_file(kind).read_bytes() for kind in chosen.policy.__mro__[:-1])
    digest = hashlib.blake2b(sources, digest_size=16).hexdigest()
    return PolicyUse(chosen.reference, dict(chosen.arguments), source_file(chosen.policy), digest)


def content_hash(content: Mapping[str, Any]) -> str:
    """Return a hash of the JSON of `content`, whatever the order of its keys.

    >>> content_hash({"a": 1, "b": [2]}) == content_hash({"b": [2], "a": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@cache
def code_hash(backend: str = "sim") -> str:
    """Return a hash of the sources and data of the packages that make a result on a backend."""
    digest = hashlib.blake2b(digest_size=16)
    for package in ("simcore", "policies", "traces", *(("realbackend", "kernels") if backend == "real" else ())):
        root = FilePath(next(iter(import_module(package).__path__)))
        for file in sorted(root.rglob("*")):
            name = file.relative_to(root.parent).as_posix()
            if file.is_file() and file.suffix != ".pyc" and not name.startswith(SHOWN_ONLY):
                digest.update(name.encode() + b"\0")
                digest.update(file.read_bytes())
    return digest.hexdigest()


@cache
def _trace_hash(trace: FilePath, _changed_ns: int) -> str:
    from traces.clients import bundle

    return bundle.content_hash(trace)  # ServeGen's clients may be a folder of files


def _workload(resolved: Resolved) -> dict[str, Any]:
    content: dict[str, Any] = resolved.spec.workload.model_dump()
    trace = trace_provenance(resolved.trace_file)
    return content | ({"trace": trace} if trace else {})


def _profile(profile: Profile | None) -> list[Any] | None:
    return None if profile is None else [profile.sha256, profile.prefill_step_overhead_s]


def trace_provenance(trace: FilePath | None) -> dict[str, str] | None:
    """Return the name and the SHA-256 of a trace file, or of a folder of client files; None if there is none."""
    if trace is None:
        return None
    return {"name": trace.name, "sha256": _trace_hash(trace, trace.stat().st_mtime_ns)}


def _policy(use: PolicyUse) -> dict[str, Any]:
    # Where a file lies decides nothing: its bytes do.
    return {"policy": FilePath(use.reference).name, "arguments": use.arguments, "source": use.source}


def _in_file_order(problem: Problem) -> tuple[int, ...]:
    parts = problem.place.rsplit(":", 2)[1:]
    return tuple(int(part) for part in parts) if len(parts) == 2 and all(map(str.isdigit, parts)) else (0, 0)
