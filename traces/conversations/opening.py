"""Opening: a file of recorded conversations, and what a user wants of it, as a workload."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.random import Generator

from simcore.contract.traffic import Column
from simcore.contract.units import to_s
from traces import lengths as length_kinds
from traces.conversations.agentcgroup import AgentCgroup
from traces.conversations.conversation import ConversationFormat
from traces.conversations.kv_cache_tester import KvCacheTester
from traces.conversations.lrm_token_economy import LrmTokenEconomy
from traces.conversations.mini_swe_agent import MiniSweAgent
from traces.conversations.survey import Survey, survey
from traces.conversations.tracelab import TraceLab
from traces.conversations.workload import Conversations, starts_ps
from traces.draws import blocks
from traces.files import DAMAGE, open_text
from traces.kinds import in_words, read_kind
from traces.lengths import Lengths
from traces.parameters import Parameters, raise_if_any
from traces.problems import TraceError
from traces.timing import Timing

PROMPT_TOKENS: Mapping[str, object] = {"kind": "fixed", "tokens": 128}
"""Of prompts whose length nobody wrote down: a question of a few sentences."""

_FORMATS: dict[str, ConversationFormat] = {
    format.name: format for format in (KvCacheTester(), AgentCgroup(), MiniSweAgent(), TraceLab(), LrmTokenEconomy())
}
FORMATS: tuple[str, ...] = tuple(_FORMATS)
_FIRST_LINE = 1 << 16


def format_of(path: Path) -> str | None:
    """Return the format of conversations that a file's first line shows, None: none of them, or no file to read."""
    try:
        with open_text(path) as text:
            line = text.readline(_FIRST_LINE)
    except DAMAGE:
        return None
    return next((name for name, format in _FORMATS.items() if format.recognises(line)), None)


def open_conversations(
    path: Path,
    format: str | None = None,
    *,
    arrivals: Mapping[str, object] | None = None,
    rate: float | None = None,
    requests: int | None = None,
    order: str = "file",
    bad_rows: str = "stop",
    prompt_tokens: Mapping[str, object] | None = None,
    seed: int = 0,
    replication: int = 0,
) -> Conversations:
    """Return the workload of a file of conversations.

    format: one of `FORMATS`; None: found from the first line.
    arrivals, rate: when conversations (programs, groups) arrive, `{kind: ...}`, and how many per second. Left out: as
        they did, where the file says so, stretched to `rate` if that is given.
    requests: the first so many turns; None: all. order: of conversations, as in the `file`, or `shuffled`.
    bad_rows: `stop` at broken rows, or `skip` the conversations that have some.
    prompt_tokens: `{kind: ...}`, of groups whose prompt nobody measured; 128 tokens if left out.

    Raises TraceError (the file cannot be used) or ParameterError (the wishes cannot); both are ValueError.
    """
    problems: list[str] = []
    path = Path(path)
    seen = _format(path, format, problems)
    parameters = Parameters("", {"order": order, "bad_rows": bad_rows, "requests": requests}, problems)
    parameters.choice("order", ("file", "shuffled"))
    parameters.choice("bad_rows", ("stop", "skip"))
    if requests is not None:
        parameters.integer("requests", least=1)
    prompts = _prompts(seen, prompt_tokens, problems) if seen is not None else None
    timing = _timing(seen, arrivals, rate, requests, seed, replication, problems) if seen is not None else None
    if arrivals is None and order == "shuffled" and seen is not None and seen.knows_starts:
        problems.append("order: conversations that start as recorded have an order; give arrivals to shuffle them")
    raise_if_any(problems)
    assert seen is not None

    whole = order == "shuffled" or timing is None
    found = survey(path, seen, turns=None if whole else requests, skip_bad=bad_rows == "skip")
    if requests is not None and found.requests < requests:
        problems.append(f"requests: must be at most {found.requests:,}, the turns of {path}, got {requests:,}")
    raise_if_any(problems)
    turns = requests if requests is not None else found.requests
    drawn = {"prompt_tokens": prompts, "seed": seed, "replication": replication}
    words = in_words(prompt_tokens or PROMPT_TOKENS) if prompts is not None else ""
    if timing is None:
        return _recorded(found, turns, rate)
    exact = Timing(timing.arrivals, timing.rate, turns, seed, replication)
    by = _shuffled(len(found), seed, replication) if order == "shuffled" else None
    return Conversations(found, turns, timing.rate, exact, order=by, prompt_words=words, **drawn)  # type: ignore[arg-type]


def _format(path: Path, asked: str | None, problems: list[str]) -> ConversationFormat | None:
    if asked is not None and asked not in _FORMATS:
        near = get_close_matches(asked, FORMATS, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        problems.append(f"format: must be one of {', '.join(FORMATS)}, got {asked!r}{hint}")
        return None
    if not path.is_file():
        raise TraceError([f"{path}:1:1: no such file"])
    seen = format_of(path)
    if asked is not None and seen is not None and seen != asked:
        raise TraceError(
            [f"{path}:1:1: read as {asked}, but it looks like {seen}: set format: {seen}, or leave it out"]
        )
    if asked is None and seen is None:
        raise TraceError([f"{path}:1:1: looks like no known format of conversations ({', '.join(FORMATS)})"])
    return _FORMATS[asked or seen or ""]


def _prompts(format: ConversationFormat, given: Mapping[str, object] | None, problems: list[str]) -> Lengths | None:
    if format.knows_prompts:
        if given is not None:
            problems.append(f"prompt_tokens: must be left out where the file says them ({format.name}), got {given!r}")
        return None
    return read_kind("prompt_tokens", PROMPT_TOKENS if given is None else given, length_kinds.KINDS, problems)


def _timing(
    format: ConversationFormat,
    arrivals: Mapping[str, object] | None,
    rate: float | None,
    requests: int | None,
    seed: int,
    replication: int,
    problems: list[str],
) -> Timing | None:
    """Return drawn arrivals; None: the recorded ones, or `problems` say why there are neither."""
    if arrivals is not None:
        return Timing.read(arrivals, rate, 1 if requests is None else requests, seed, replication, problems)
    if not format.knows_starts:
        problems.append(
            f"arrivals: {format.name} files do not say when conversations start relative to each other: "
            "give arrivals ({kind: poisson}, ...) and rate (conversations per second), got nothing"
        )
    if rate is not None:
        Parameters("", {"rate": rate}, problems).positive("rate")
    return None


def _recorded(found: Survey, turns: int, rate: float | None) -> Conversations:
    """Return the conversations at their own times; ValueError if there is no rate to scale."""
    first = min(found.starts_ps)
    order = np.array(sorted(range(len(found)), key=found.starts_ps.__getitem__), np.int64)
    counted = np.cumsum(np.frombuffer(found.turns, np.int64)[order])
    programs = int(np.searchsorted(counted, turns)) + 1
    span_ps = found.starts_ps[int(order[programs - 1])] - first
    recorded = (programs - 1) / to_s(span_ps) if span_ps else float("inf")
    if rate is None:
        return Conversations(found, turns, recorded, None, order=order)
    if not span_ps:
        raise ValueError(
            f"rate: {found.path} has {programs} conversation(s) at one time: no rate to scale, got {rate:g}"
        )
    starts_ps(found, order[:programs], recorded / rate)
    return Conversations(found, turns, rate, None, stretch=recorded / rate, order=order)


def _shuffled(n: int, seed: int, replication: int) -> Column:
    generator: Generator = next(blocks(seed, replication, "order"))
    return generator.permutation(n)
