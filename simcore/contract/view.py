"""Views: what a policy may see. Read-only, and only what a real cluster can know.

No true output length, tool duration, last turn or future priority is here, unless the study switches an
oracle on and the policy declares it (`Policy.oracle`).
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from simcore.contract.actions import InstanceId, RequestId

RequestState = Literal["unrouted", "waiting", "running", "swapped", "paused", "finished", "rejected", "cancelled"]
InstanceState = Literal["starting", "up", "draining", "down"]
Role = Literal["mixed", "prefill", "decode"]
Load = Literal["requests", "waiting", "running", "waiting_tokens"]


class OracleView(Protocol):
    """Hidden truth. A read raises `IllegalAction` unless study (`oracle:`) and policy (`oracle`) name what is read."""

    @property
    def output_tokens(self) -> int: ...


class RequestView(Protocol):
    """One live request, as of now."""

    @property
    def id(self) -> RequestId: ...
    @property
    def arrival_s(self) -> float: ...
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int:
        """Tokens generated so far; never the future."""

    @property
    def computed_tokens(self) -> int:
        """Tokens whose KV stands; prompt and output so far less these are left to prefill (1: it decodes)."""

    @property
    def kv_blocks(self) -> int: ...
    @property
    def state(self) -> RequestState: ...
    @property
    def instance(self) -> InstanceId | None: ...
    @property
    def priority(self) -> int:
        """Lower is more urgent; 0 when the workload gives none."""

    @property
    def request_class(self) -> str: ...
    @property
    def program(self) -> int | None: ...
    @property
    def turn(self) -> int:
        """Number of the turn in its program, from 0; 0 for a request that is no turn."""

    @property
    def cached_tokens(self) -> int:
        """Tokens of its prompt that a prefix cache held when it first ran."""

    @property
    def preemptions(self) -> int: ...
    @property
    def scheduled_s(self) -> float | None:
        """When it first ran."""

    @property
    def first_token_s(self) -> float | None: ...
    @property
    def oracle(self) -> OracleView: ...
    @property
    def group(self) -> int | None:
        """The rollout group it is a sample of; None outside rollouts."""

    @property
    def max_new_tokens(self) -> int | None:
        """Tokens it may yet generate before the length cap of the rollout; None: no cap but its own end."""


class InstanceView(Protocol):
    """One instance as of its last boundary, or of the one before its last report, plus the router's dispatches since.

    State, role and what its prefix cache holds are as of now.
    """

    @property
    def id(self) -> InstanceId: ...
    @property
    def as_of_s(self) -> float: ...
    @property
    def state(self) -> InstanceState: ...
    @property
    def role(self) -> Role: ...
    @property
    def running(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def preempted(self) -> int:
        """Waiting requests that ran before and lost their place."""

    @property
    def block_tokens(self) -> int:
        """Tokens per KV block."""

    @property
    def kv_blocks(self) -> int:
        """Capacity of the KV pool in blocks."""

    @property
    def free_blocks(self) -> int: ...
    @property
    def head_blocks(self) -> int:
        """KV blocks the head of the waiting queue needs; 0 when nothing waits."""

    @property
    def waiting_blocks(self) -> int:
        """KV blocks all waiting requests need together, beyond those they hold; cached ones are not taken off."""

    @property
    def waiting_tokens(self) -> int:
        """Tokens all waiting requests still have to prefill."""

    @property
    def pinned_blocks(self) -> int:
        """KV blocks that pins hold."""

    @property
    def reserved_blocks(self) -> int:
        """KV blocks that wait for a copy under way, in or out."""

    @property
    def host_free_blocks(self) -> int:
        """Free blocks of the host memory that takes swapped KV; 0 where there is none."""

    @property
    def weights_version(self) -> int:
        """Training steps behind the weights it generates with; as of now."""

    def cached_tokens(self, request: RequestId) -> int:
        """Return how many tokens of `request` this instance's prefix cache holds now: full blocks, never its last.

        Caches announce what they store at once: as of the last boundary, also where reports are periodic.
        """


class ClusterView(Protocol):
    """What a router or a rollout policy sees."""

    @property
    def now_s(self) -> float: ...
    @property
    def requests(self) -> Mapping[RequestId, RequestView]:
        """Live requests only."""

    @property
    def instances(self) -> Sequence[InstanceView]:
        """By id; instances that are gone stay, with state "down"."""

    @property
    def up(self) -> Sequence[InstanceView]:
        """By id, those that are up and take new prompts: their role is not "decode"."""

    def least(self, load: Load, role: Role | None = None) -> InstanceId:
        """Return the instance of `up` with the least of `load`; ties go to the lowest id. O(log n).

        With a `role`: of those that are up with that role. Raises IllegalAction if there is none.
        """

    def draw(self, *key: int) -> float:
        """Return a uniform number in [0, 1) that depends on the study's seed, the replication and `key` alone.

        The same key gives the same number, in every system and on every backend: systems are compared on
        common random numbers, and a policy that draws more does not shift another's draws.
        """


class LaneView(Protocol):
    """What a scheduler sees: its own lane of one instance, live. The KV is the instance's: lanes share it, and pins."""

    @property
    def now_s(self) -> float: ...
    @property
    def instance(self) -> InstanceId: ...
    @property
    def lane(self) -> int: ...
    @property
    def role(self) -> Role: ...
    @property
    def iteration(self) -> int:
        """Iterations this lane has completed since its start."""

    @property
    def block_tokens(self) -> int: ...
    @property
    def kv_blocks(self) -> int: ...
    @property
    def free_blocks(self) -> int: ...
    @property
    def host_free_blocks(self) -> int: ...
    @property
    def pins(self) -> Mapping[int, float]:
        """Pins in force: program (or -1 - request) to the date in seconds it ends, in the order they were made."""

    @property
    def running(self) -> Sequence[RequestId]:
        """In admission order, oldest first."""

    @property
    def waiting(self) -> Sequence[RequestId]:
        """In queue order, next first."""

    @property
    def requests(self) -> Mapping[RequestId, RequestView]:
        """Live requests of this lane: running, waiting (the swapped among them), being copied in."""

    def draw(self, *key: int) -> float:
        """Return a uniform number in [0, 1), as `ClusterView.draw` does; each instance has its own."""
