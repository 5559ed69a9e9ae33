"""Resolve: the names in a study turned into the things they mean; what cannot be is a problem at its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from simcore.contract import OracleView, Policy, Role, Scheduler, Shape
from simcore.cost import (
    Fitted,
    Hardware,
    ModelSpec,
    Roofline,
    hardware_names,
    kv_blocks,
    load_hardware,
    load_model,
    model_names,
)
from simcore.cost.profiles import Profile, open_profile
from simcore.cost.sm_curve import SmCurve, paper_curve, read_curve
from simcore.cost.sm_shares import Row, read_shares
from simcore.study.arguments import check_arguments
from simcore.study.claims import check_claims
from simcore.study.cluster import block_bytes, copies, host_blocks, topology
from simcore.study.document import Document
from simcore.study.errors import Path, Problem, unknown
from simcore.study.faults import check_faults
from simcore.study.files import folders
from simcore.study.lookup import Lookup
from simcore.study.mechanisms import conflicts, to_mechanisms
from simcore.study.registry import find_policy, is_from_file, source_file
from simcore.study.resolve_traffic import Traffic, TrafficFinder, check_class_slos, check_warm_up
from simcore.study.rollout import check_rollout, rollout_conflicts
from simcore.study.schema import OWN_CURVE, PAPER_CURVE, ROLLOUT, ROOFLINE, PolicySpec, StudySpec
from simcore.study.schema_cluster import ClusterSpec, complaint
from simcore.study.traffic import shortest
from simcore.study.validate import check_schema

if TYPE_CHECKING:
    from simcore.simulator.settings import Mechanisms
    from simcore.simulator.topology import Topology

ORACLES = tuple(name for name, value in vars(OracleView).items() if isinstance(value, property))


@dataclass(frozen=True, slots=True)
class ChosenPolicy:
    """A policy class, a reference to it that works in any process, and the arguments the study gives."""

    reference: str
    policy: type[Policy]
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class System:
    """One system of a study, ready to run.

    Args:
        kv_blocks: of each instance; its scheduler's limits decide what fits.
        topology: None where nothing is ever copied, or copies take no time.
        roles: of each instance; empty: all mixed.
    """

    router: ChosenPolicy
    scheduler: ChosenPolicy
    mechanisms: "Mechanisms"
    kv_blocks: int
    topology: "Topology | None"
    roles: tuple[Role, ...]
    rollout: ChosenPolicy | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """One sweep point of a study, ready to run.

    Args:
        profile: how long iterations take; None: what the roofline of model and hardware says.
        sm_curve: how a share of the SMs slows them down; None: as the cost model itself says.
        block_bytes: of one KV block over all GPUs of an instance.
        trace_file: the file to replay, if the workload is one.
        references: what the study names by a relative path, by an absolute one.
    """

    spec: StudySpec
    model: ModelSpec
    hardware: Hardware
    profile: Profile | None
    sm_curve: SmCurve | None
    block_bytes: int
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


class _Resolver(Lookup):
    """Looks everything up, section by section; what stands in a section not `sound` is left alone."""

    def __init__(self, document: Document, spec: StudySpec, sound: frozenset[str], reported: set[str]) -> None:
        super().__init__(document, reported)
        self.spec = spec
        self.sound = sound

    def resolve(self) -> Resolved | None:
        spec, sound = self.spec, self.sound
        model = self.model() if "model" in sound else None
        hardware = self.hardware() if "hardware" in sound else None
        profile = self.profile(model, hardware) if "cost" in sound else None
        curve = self.sm_curve() if "cost" in sound else None
        if "oracle" in sound:
            self.oracle()
        trace_file, traffic = TrafficFinder(self, spec).find() if "workload" in sound else (None, None)
        self.beside_traffic(traffic)
        if spec.rollout is not None and {"rollout", "workload"} <= sound:
            check_rollout(self, spec, trace_file)
        if "faults" in sound and "cluster" in sound:
            check_faults(self, spec, self.link_names(hardware), None if traffic is None else traffic.lasts_s)
        systems = {}
        for name in spec.systems if "systems" in sound else ():
            system = self.system(name, model, hardware)
            if system is not None:
                systems[name] = system
        if model is None or hardware is None:
            return None
        size = block_bytes(model, spec.cluster)
        return Resolved(spec, model, hardware, profile, curve, size, systems, trace_file, self.references)

    def beside_traffic(self, traffic: Traffic | None) -> None:
        """Check what depends on the workload: the warm-up, and what is said of request classes."""
        if traffic is not None and "warm_up" in self.sound:
            check_warm_up(self, self.spec, traffic)
        if traffic is not None and "slo" in self.sound:
            check_class_slos(self, self.spec, traffic)
        if {"claims", "systems", "sweep", "slo"} <= self.sound:
            check_claims(self, self.spec, None if traffic is None else traffic.classes)

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

    def profile(self, model: ModelSpec | None, hardware: Hardware | None) -> Profile | None:
        choice = self.spec.cost
        overhead_s = choice.prefill_step_overhead_ms / 1e3
        file = self.name_or_file("cost", choice.profile, ("cost", "profile"), (ROOFLINE,))
        if file == ROOFLINE and overhead_s:
            self.wrong(("cost", "prefill_step_overhead_ms"), "is for a profile of layers, not for the roofline")
        if file is None or file == ROOFLINE:
            return None
        profile = self.attempt(("cost",), lambda: open_profile(FilePath(file), overhead_s))
        if profile is not None and model is not None and hardware is not None and "cluster" in self.sound:
            cost = self.attempt(("cost",), lambda: profile.cost(model, hardware, self.spec.cluster.tp))
            if cost is not None and self.shares_sms() and choice.sm_curve == OWN_CURVE:
                part = Shape(decodes=1, context=1, sm_pct=50)
                self.attempt(("cost",), lambda: cost.line(part))
                if isinstance(cost, Fitted):
                    self.wrong(("cost",), "a fitted profile does not know shares of the SMs; say cost.sm_curve too")
        return profile

    def sm_curve(self) -> SmCurve | None:
        """Return how a share of the SMs slows iterations down; None: as the cost model itself says."""
        chosen = self.spec.cost.sm_curve
        if chosen in (OWN_CURVE, PAPER_CURVE):
            return paper_curve() if chosen == PAPER_CURVE else None
        at = ("cost", "sm_curve")
        file = self.name_or_file("sm_curve", chosen, at, (OWN_CURVE, PAPER_CURVE))
        return None if file is None else self.attempt(at, lambda: read_curve(FilePath(file)))

    def sm_shares(self, name: str, table: str | None) -> tuple[Row, ...]:
        """Return the measured table of contention that a system names, if it names one."""
        at: Path = ("systems", name, "mechanism", "contention")
        at = at if self.document.has(at) else at[2:]
        file = self.name_or_file("contention", table, at, ()) if table and table.endswith(".csv") else None
        return () if file is None else self.attempt(at, lambda: read_shares(FilePath(file))) or ()

    def shares_sms(self) -> bool:
        """Return whether lanes of some system have only a part of the SMs each."""
        mechanisms = [self.spec.mechanism] if "mechanism" in self.sound else []
        mechanisms += [system.mechanism for system in self.spec.systems.values()] if "systems" in self.sound else []
        return any(mechanism.sm_split not in (None, "off") for mechanism in mechanisms)

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

    def topology(self, hardware: Hardware, layers: int = 1) -> "Topology | None":
        return self.attempt(("cluster", "topology"), lambda: topology(self.spec.cluster, hardware, layers))

    def link_names(self, hardware: Hardware | None) -> tuple[str, ...] | None:
        """Return the names of the links a fault may hit; None if they are not known."""
        if self.spec.cluster.topology == "none":
            return ()
        links = self.topology(hardware) if hardware and any(fault.link for fault in self.spec.faults) else None
        return tuple(link.name for link in links.make_links()) if links else None

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
        cluster = self.spec.cluster
        if system.roles is not None:
            cluster = cluster.model_copy(update={"roles": system.roles})
            self.fitting_roles(("systems", name, "roles"), cluster)
        said = system.mechanism.over(self.spec.mechanism)
        mechanisms = to_mechanisms(said, host_blocks(model, cluster), self.sm_shares(name, said.contention))
        size = block_bytes(model, cluster)
        for below, message in conflicts(cluster, mechanisms, router.policy, scheduler.policy, size):
            at = ("systems", name, *below)
            # A mechanism may be written for this system, or once for all.
            self.wrong(at if self.document.has(at) or below[0] != "mechanism" else below, message)
        links = self.topology(hardware, model.layers) if copies(self.spec, router.policy, cluster.roles) else None
        rollout = self.rollout(name, cluster.roles, router, scheduler, mechanisms)
        return System(router, scheduler, mechanisms, blocks, links, cluster.roles, rollout)

    def fitting_roles(self, at: Path, cluster: ClusterSpec) -> None:
        """Check that the roles of a system are those of its instances."""
        wrong = complaint(cluster.roles, cluster.instances)
        if wrong is not None:
            self.wrong(at, wrong)

    def rollout(
        self,
        name: str,
        roles: Sequence[Role],
        router: ChosenPolicy,
        scheduler: ChosenPolicy,
        mechanisms: "Mechanisms",
    ) -> ChosenPolicy | None:
        """Return the rollout policy of a system: its own, or the synchronous one; None without `rollout`."""
        at, chosen = ("systems", name, "rollout"), self.spec.systems[name].rollout
        if self.spec.rollout is None:
            if chosen is not None and "rollout" in self.sound:
                self.wrong(at, "needs the study to say `rollout: {steps: …, groups: …}`")
            return None
        for below, message in rollout_conflicts(roles, mechanisms, router.policy, scheduler.policy):
            where = ("systems", name, *below)
            self.wrong(where if self.document.has(where) else below, message)
        return self.policy(at, chosen or PolicySpec(policy=ROLLOUT), "rollout")

    def policy(self, at: Path, chosen: PolicySpec, role: str) -> ChosenPolicy | None:
        """Return the policy if it can be built and may do what it does."""
        named = (*at, "policy")
        policy = self.attempt(named, lambda: find_policy(chosen.policy, role, folders(self.document)))
        if policy is None:
            return None
        wrong = check_arguments(policy, chosen.arguments)
        for path, message in wrong:
            self.wrong((*at, *path), message)
        self.powers(named, policy, role)
        if wrong:
            return None
        reference = chosen.policy
        if is_from_file(policy):
            reference = self.references[named] = f"{source_file(policy)}:{policy.__name__}"
        return ChosenPolicy(reference, policy, chosen.arguments)

    def powers(self, at: Path, policy: type[Policy], role: str) -> None:
        """Check that the study switches on what the policy reads, and that the simulator can start what it emits."""
        from simcore.simulator import ROLLOUT_STARTS, STARTS

        for name in sorted(policy.oracle - set(self.spec.oracle)) if "oracle" in self.sound else ():
            self.wrong(at, f"{policy.__name__} reads the oracle '{name}'; add `oracle: [{name}]` to the study")
        beyond = sorted(action.__name__ for action in policy.emits - (ROLLOUT_STARTS if role == "rollout" else STARTS))
        if beyond:
            self.wrong(at, f"{policy.__name__} emits {', '.join(beyond)}, which the simulator cannot start yet")
