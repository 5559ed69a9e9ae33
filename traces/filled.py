"""Filled: a table that lacks a column, arrival times or lengths, which the study's generators fill in.

A row keeps what the file says of it; what is drawn for it depends on (seed, replication, purpose, its number), as in
`traces.draws`. So a table without times is read at any load, with common random numbers, and its replications differ.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from simcore.contract.traffic import Arrivals, Patience
from traces import lengths as length_kinds
from traces.draws import Tape, blocks
from traces.kinds import in_words, read_kind
from traces.lengths import Lengths
from traces.parameters import raise_if_any
from traces.pieces import begins
from traces.replay import Replay, source_of
from traces.shuffled import Shuffled
from traces.survey import Survey
from traces.timing import Timing


@dataclass(frozen=True, eq=False)
class Filled:
    """`Workload` of a table. timing, prompt_tokens, output_tokens: what is drawn; None: the table says it.

    rows: the table as it lies, at its own times and the wanted rate, or shuffled.
    """

    survey: Survey
    rows: Replay | Survey | Shuffled
    rate: float
    requests: int
    lasts_s: float
    seed: int
    replication: int
    drawn: str
    """What is drawn, in words."""
    timing: Timing | None = None
    prompt_tokens: Lengths | None = None
    output_tokens: Lengths | None = None
    tools: tuple[str, ...] = ()
    patience: tuple[Patience, ...] = ()

    @property
    def name(self) -> str:
        return self.survey.path.name

    @property
    def source(self) -> str:
        return f"{source_of(self.survey)} with {self.drawn}"

    @property
    def classes(self) -> tuple[str, ...]:
        """Those that its rows name."""
        return self.survey.classes

    @property
    def priorities(self) -> tuple[int, ...]:
        """The same for all."""
        return (0,) * len(self.classes)

    @property
    def skipped(self) -> int:
        """Bad rows left out."""
        return self.survey.skipped

    def pieces(self) -> Iterator[Arrivals]:
        """Yield the requests in order."""
        instants = None if self.timing is None else Tape(self.timing.instants())
        prompts, outputs = self._tape(self.prompt_tokens, "prompt"), self._tape(self.output_tokens, "output")
        for piece in self.rows.pieces():
            drawn: dict[str, Any] = {}
            if instants is not None and self.timing is not None:
                alone = begins(piece)
                drawn["at_ps"] = instants.take(int(alone.sum()))[np.cumsum(alone) - 1]
                self.timing.check_span(drawn["at_ps"])
            if prompts is not None:
                drawn["prompt_tokens"] = prompts.take(len(piece))
            if outputs is not None:
                drawn["output_tokens"] = outputs.take(len(piece))
            yield replace(piece, **drawn)

    def _tape(self, lengths: Lengths | None, purpose: Literal["prompt", "output"]) -> Tape[np.int64] | None:
        if lengths is None:
            return None
        return Tape(lengths.draw(each) for each in blocks(self.seed, self.replication, purpose))


def filled(
    found: Survey,
    *,
    arrivals: Mapping[str, object] | None,
    prompt_tokens: Mapping[str, object] | None,
    output_tokens: Mapping[str, object] | None,
    order: str,
    rate: float | None,
    requests: int,
    seed: int,
    replication: int,
) -> Replay | Filled:
    """Return the requests of a file with what it lacks drawn; the file's own are a `Replay`.

    arrivals, prompt_tokens, output_tokens: as for `traces.synthetic`, exactly those that the file lacks.
    order: "file", or "shuffled". Raises ParameterError with all that is missing, or given twice.
    """
    problems: list[str] = []
    fields = found.fields
    timing = None
    if _wanted("arrivals", arrivals, fields.arrival, found, problems):
        timing = Timing.read(arrivals, rate, requests, seed, replication, problems)
    lengths = {}
    for key, given, column in (
        ("prompt_tokens", prompt_tokens, fields.prompt_tokens),
        ("output_tokens", output_tokens, fields.output_tokens),
    ):
        wanted = _wanted(key, given, column, found, problems)
        lengths[key] = read_kind(key, given, length_kinds.KINDS, problems) if wanted else None
    if order == "shuffled":
        problems += _why_not_shuffled(found)
    raise_if_any(problems)
    rows: Replay | Survey | Shuffled
    if timing is None:
        rows = Replay.at(found, rate)
        if not any(lengths.values()):
            return rows
        per_second, lasts_s = rows.rate, rows.lasts_s
    else:
        shuffled = order == "shuffled"
        rows = Shuffled(found, requests, seed, replication) if shuffled else found
        per_second, lasts_s = timing.rate, (requests if shuffled else found.starts) / timing.rate
    drawn = {"arrivals": arrivals, "prompt_tokens": prompt_tokens, "output_tokens": output_tokens}
    words = [f"{key} {in_words(each)}" for key, each in drawn.items() if each is not None]
    return Filled(
        found,
        rows,
        per_second,
        requests,
        lasts_s,
        seed,
        replication,
        ", ".join([*words, "rows shuffled"] if order == "shuffled" else words),
        timing,
        lengths["prompt_tokens"],
        lengths["output_tokens"],
    )


def _wanted(key: str, given: object, column: str | None, found: Survey, problems: list[str]) -> bool:
    """Return whether something is to be drawn; note if it is missing, or there twice."""
    says = f"{found.path.name} (format {found.format.name})"
    if column is None and given is None:
        example = "{kind: poisson} and a rate" if key == "arrivals" else "{kind: lognormal, mean: ..., sigma: ...}"
        what = "no arrival times" if key == "arrivals" else f"no {key}"
        problems.append(f"{key}: {says} has {what}; add {key}: {example}")
    if column is not None and given is not None:
        problems.append(f"{key}: a trace brings its own, {says} in {column!r}; leave one of the two out")
    return column is None and given is not None


def _why_not_shuffled(found: Survey) -> list[str]:
    if found.fields.arrival is not None:
        return [f"order: {found.path.name} has times of its own, which are its order; leave order out"]
    if found.fields.hash_ids is not None or found.starts < found.requests:
        return [f"order: rows of {found.path.name} share prefixes or are turns, which their order is part of"]
    return []
