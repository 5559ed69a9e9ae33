"""Resolve: the names in a study turned into the things they mean; what cannot be is a problem at its place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, TypeVar

from simcore.contract import OracleView, Policy, Scheduler
from simcore.cost import (
    Hardware,
    ModelSpec,
    Roofline,
    hardware_names,
    kv_blocks,
    load_hardware,
    load_model,
    model_names,
)
from simcore.study.arguments import check_arguments
from simcore.study.document import Document
from simcore.study.errors import Path, Problem, dotted, unknown
from simcore.study.files import folders, like_a_file, locate
from simcore.study.registry import find_policy, is_from_file, source_file
from simcore.study.schema import MechanismSpec, PolicySpec, StudySpec
from simcore.study.traffic import known_traces, open_workload, shortest
from simcore.study.validate import check_schema, keys_at

Thing = TypeVar("Thing")

DRAWN = ("arrivals", "prompt_tokens", "output_tokens")
ORACLES = tuple(name for name, value in vars(OracleView).items() if isinstance(value, property))


@dataclass(frozen=True, slots=True)
class ChosenPolicy:
    """A policy class, a reference to it that works in any process, and the arguments the study gives."""

    reference: str
    policy: type[Policy]
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class System:
    """One system of a study, ready to run. `kv_blocks`: of each instance; its scheduler's limits decide what fits."""

    router: ChosenPolicy
    scheduler: ChosenPolicy
    mechanism: MechanismSpec
    kv_blocks: int


@dataclass(frozen=True, slots=True)
class Resolved:
    """One sweep point of a study, ready to run.

    Args:
        trace_file: the file to replay, if the workload is one.
        references: what the study names by a relative path, by an absolute one.
    """

    spec: StudySpec
    model: ModelSpec
    hardware: Hardware
    systems: Mapping[str, System]
    trace_file: FilePath | None
    references: Mapping[Path, str]


def resolve(document: Document) -> tuple[Resolved | None, list[Problem]]:
    """Return the study with every name resolved, or None and all that stands in the way."""
    spec, sound, problems = check_schema(document)
    resolver = _Resolver(document, spec, sound, {problem.path for problem in problems})
    resolved = resolver.resolve()
    problems += resolver.problems
    return (None if problems else resolved), problems


class _Resolver:
    """Looks everything up, section by section. What is `reported`, or stands in a section not `sound`, is old news."""

    def __init__(self, document: Document, spec: StudySpec, sound: frozenset[str], reported: set[str]) -> None:
        self.document = document
        self.spec = spec
        self.sound = sound
        self.reported = reported
        self.problems: list[Problem] = []
        self.references: dict[Path, str] = {}

    def resolve(self) -> Resolved | None:
        spec, sound = self.spec, self.sound
        model = self.model() if "model" in sound else None
        hardware = self.hardware() if "hardware" in sound else None
        if "oracle" in sound:
            self.oracle()
        trace_file = self.workload() if "workload" in sound else None
        systems = {}
        for name in spec.systems if "systems" in sound else ():
            system = self.system(name, model, hardware)
            if system is not None:
                systems[name] = system
        if model is None or hardware is None:
            return None
        return Resolved(spec, model, hardware, systems, trace_file, self.references)

    def wrong(self, path: Path, message: str) -> None:
        # `model: x` is short for `model: {name: x}`: the path is the one people wrote.
        if path[-1] in ("name", "policy") and not self.document.has(path):
            path = path[:-1]
        if dotted(path) not in self.reported:
            self.problems.append(self.document.problem(path, message))

    # -- the hardware side ----------------------------------------------------------------------------

    def model(self) -> ModelSpec | None:
        choice = self.spec.model
        name = self.name_or_file("model", choice.name, ("model", "name"), model_names())
        if name is None:
            return None
        return self.attempt(
            ("model",), lambda: load_model(name, weights_dtype=choice.weights_dtype, kv_dtype=choice.kv_dtype)
        )

    def hardware(self) -> Hardware | None:
        name = self.name_or_file("hardware", self.spec.hardware, ("hardware",), hardware_names())
        return self.attempt(("hardware",), lambda: load_hardware(name)) if name else None

    def kv_blocks(self, model: ModelSpec, hardware: Hardware, scheduler: Scheduler) -> int | None:
        """Return the KV blocks of an instance: as the study says, or what fits beside the weights."""
        cluster = self.spec.cluster
        if self.attempt(("cluster",), lambda: Roofline(model, hardware, cluster.tp)) is None:
            return None
        return cluster.kv_blocks or self.attempt(
            ("cluster",),
            lambda: kv_blocks(
                model,
                hardware,
                cluster.tp,
                cluster.block_tokens,
                cluster.memory_utilization,
                max_num_batched_tokens=scheduler.max_num_batched_tokens,
                max_num_seqs=scheduler.max_num_seqs,
            ),
        )

    # -- the traffic ----------------------------------------------------------------------------------

    def workload(self) -> FilePath | None:
        """Check the traffic; return the file to replay, if there is one."""
        workload = self.spec.workload
        drawn = {key: getattr(workload, key) for key in DRAWN}
        if workload.trace is None:
            if not any(drawn.values()):
                if "workload.trace" not in self.reported:
                    self.wrong(("workload",), f"names a trace, or {', '.join(DRAWN)}; got neither")
                return None
            missing = [key for key, value in {**drawn, "requests": workload.requests}.items() if value is None]
            for key in missing:
                self.wrong(("workload", key), "is missing")
            if not missing:
                self.traffic(None)
            return None
        for key in [key for key, value in drawn.items() if value is not None]:
            self.wrong(("workload", key), "a trace brings its own; leave one of the two out")
        return self.trace(workload.trace)

    def trace(self, name: str) -> FilePath | None:
        at: Path = ("workload", "trace")
        known = known_traces()
        if name in known:
            self.traffic(None)
            return None
        file = locate(name, self.document)
        if file is not None and file.is_file():
            self.rows(file)
            self.references[at] = str(file)
            return file
        if like_a_file(name):
            why = "is not a file" if file else "no such file"
            self.wrong(at, f"{why}: '{name}'; point to it with --set workload.trace=PATH")
        else:
            self.wrong(at, unknown("trace", name, known))
        return None

    def rows(self, file: FilePath) -> None:
        """Check the rows of a trace file; what is wrong with them has its place in that file, not in the study."""
        from traces import TraceError

        try:
            self.traffic(file)
        except TraceError as error:
            self.problems += [Problem("", "", problem) for problem in error.problems]

    def traffic(self, file: FilePath | None) -> None:
        """Open the traffic, and check that the warm-up leaves some of it to measure."""
        traffic = self.attempt(("workload",), lambda: open_workload(self.spec, file, 0))
        if traffic is None or "warm_up" not in self.sound:
            return
        count, lasts_s, warm_up = traffic.requests, traffic.requests / traffic.rate, self.spec.warm_up
        if warm_up.requests >= count:
            self.wrong(
                ("warm_up", "requests"), f"must be below the {count:,} requests of the run, got {warm_up.requests:,}"
            )
        if warm_up.seconds and warm_up.seconds >= lasts_s:
            rule = f"must be below {lasts_s:.3g} s, in which all {count:,} requests arrive"
            self.wrong(("warm_up", "seconds"), f"{rule}, got {warm_up.seconds:g}")

    def prompt_fits(self, blocks: int) -> None:
        """Check that an instance can hold the shortest prompt the workload draws, and the token that follows."""
        block_tokens = self.spec.cluster.block_tokens
        prompt_tokens = shortest(self.spec.workload.prompt_tokens or {})
        needed = -(-(prompt_tokens + 1) // block_tokens)
        if needed > blocks:
            self.wrong(
                ("workload", "prompt_tokens"),
                f"no request can run: {prompt_tokens} prompt tokens and the first token after them need {needed} KV "
                f"blocks of {block_tokens} tokens, and an instance has {blocks}",
            )

    # -- the systems ----------------------------------------------------------------------------------

    def oracle(self) -> None:
        for index, name in enumerate(self.spec.oracle):
            if name not in ORACLES:
                self.wrong(("oracle", index), unknown("oracle", name, ORACLES))

    def system(self, name: str, model: ModelSpec | None, hardware: Hardware | None) -> System | None:
        system = self.spec.systems[name]
        router = self.policy(("systems", name, "router"), system.router, "router")
        scheduler = self.policy(("systems", name, "scheduler"), system.scheduler, "scheduler")
        if router is None or scheduler is None or model is None or hardware is None or "cluster" not in self.sound:
            return None
        built = scheduler.policy(**scheduler.arguments)
        assert isinstance(built, Scheduler), "the registry checks roles"
        blocks = self.kv_blocks(model, hardware, built)
        if blocks is None:
            return None
        if "workload" in self.sound:
            self.prompt_fits(blocks)
        return System(router, scheduler, system.mechanism or self.spec.mechanism, blocks)

    def policy(self, at: Path, chosen: PolicySpec, role: str) -> ChosenPolicy | None:
        """Return the policy if it can be built and may do what it does."""
        named = (*at, "policy")
        policy = self.attempt(named, lambda: find_policy(chosen.policy, role, folders(self.document)))
        if policy is None:
            return None
        wrong = check_arguments(policy, chosen.arguments)
        for path, message in wrong:
            self.wrong((*at, *path), message)
        self.powers(named, policy)
        if wrong:
            return None
        reference = chosen.policy
        if is_from_file(policy):
            reference = self.references[named] = f"{source_file(policy)}:{policy.__name__}"
        return ChosenPolicy(reference, policy, chosen.arguments)

    def powers(self, at: Path, policy: type[Policy]) -> None:
        """Check that the study switches on what the policy reads, and that the simulator can start what it emits."""
        from simcore.simulator import STARTS

        for name in sorted(policy.oracle - set(self.spec.oracle)) if "oracle" in self.sound else ():
            self.wrong(at, f"{policy.__name__} reads the oracle '{name}'; add `oracle: [{name}]` to the study")
        beyond = sorted(action.__name__ for action in policy.emits - STARTS)
        if beyond:
            self.wrong(at, f"{policy.__name__} emits {', '.join(beyond)}, which the simulator cannot start yet")

    # -- how things are looked up ---------------------------------------------------------------------

    def name_or_file(self, kind: str, name: str, at: Path, known: Sequence[str]) -> str | None:
        if name in known:
            return name
        if not like_a_file(name):
            self.wrong(at, unknown(kind, name, known))
            return None
        file = locate(name, self.document)
        if file is None:
            self.wrong(at, f"no such file: '{name}'")
            return None
        self.references[at] = str(file)
        return str(file)

    def attempt(self, at: Path, make: Callable[[], Thing]) -> Thing | None:
        """Return what `make` makes. Each line of a ValueError becomes a problem, at the key its first word names."""
        from traces import TraceError

        try:
            return make()
        except TraceError:
            raise
        except ValueError as error:
            for line in str(error).splitlines():
                self.wrong(*self.about(at, line))
            return None

    def about(self, at: Path, line: str) -> tuple[Path, str]:
        """Return the path a message is about, and the message without it: "tp must …", "arrivals.cv: must …"."""
        first, _, rule = line.partition(" ")
        steps = tuple(first.removesuffix(":").split(".")) if first.endswith(":") else (first,)
        return ((*at, *steps), rule) if steps[0] in keys_at(at) else (at, line)
