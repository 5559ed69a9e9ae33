"""Spread: lengths that differ from client to client, by a shift of the mean of their logarithm."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from numpy.random import Generator

from traces import lengths as length_kinds
from traces.kinds import read_kind
from traces.lengths import Lengths, LognormalLengths
from traces.parameters import Parameters


@dataclass(frozen=True)
class SpreadLengths:
    """lengths: of the middle client. between: standard deviation of the shifts of the clients, in natural logs."""

    lengths: Lengths
    between: float

    def of_client(self, generator: Generator) -> Lengths:
        """Return the lengths of a client, which the generator chooses."""
        shift = self.between * generator.standard_normal()
        if not isinstance(self.lengths, LognormalLengths) or not self.between:
            return self.lengths
        logs = self.lengths.lognormals
        return replace(self.lengths, lognormals=replace(logs, mu=tuple(mu + shift for mu in logs.mu)))


def read_spread(where: str, given: object, problems: list[str]) -> SpreadLengths | None:
    """Return the lengths `{kind: ..., between: ...}` at the key `where`; None if `problems` now say what is wrong."""
    if not isinstance(given, Mapping):
        read_kind(where, given, length_kinds.KINDS, problems)
        return None
    parameters = Parameters(where, given, problems)
    between = parameters.number("between", least=0, most=10, default=0.0)
    lengths = read_kind(
        where, {key: each for key, each in given.items() if key != "between"}, length_kinds.KINDS, problems
    )
    if lengths is not None and between and not isinstance(lengths, LognormalLengths):
        parameters.add("between", f"is for kind lognormal or mixture, got it with {given.get('kind')}")
    return SpreadLengths(lengths, between) if lengths is not None else None
