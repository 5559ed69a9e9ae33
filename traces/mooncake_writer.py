"""Mooncake writer: a workload as the JSON lines that vLLM's and NVIDIA's load generators fire at real servers.

A line is `timestamp` (whole milliseconds from the first request), `input_length`, `output_length` and `hash_ids`, one
per block of the prompt. Sessions, which AIPerf knows, add `session_id`; their later turns have a `delay` in place of a
timestamp, and the lengths and ids of what they add to the turn before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from simcore.contract.traffic import Workload
from simcore.contract.units import PS_PER_MS
from traces.blocks import BlockIds
from traces.open_loop import OpenLoop
from traces.requests import Request, requests_of
from traces.saving import saving

BLOCK_TOKENS = 512
"""Of one hash id, as in the traces of Mooncake."""


@dataclass
class Written:
    """What a file holds, and what it could not."""

    path: Path
    requests: int = 0
    blocks: int | None = None
    """Different ids, where prompts are written whole."""
    rounded: int = 0
    """Times that were no whole milliseconds."""
    cut: int = 0
    """Turns of sessions whose prompt holds no more than the turn before and its answer; written as one new token."""
    prompt_tokens: int = 0
    """Of the workload."""
    longer_tokens: int = 0
    """By how much prompts of sessions come out longer, all together: who adds turns up cuts no history."""
    lost: tuple[str, ...] = ()
    """What of the workload the format has no words for."""


def write_mooncake(
    workload: Workload,
    path: Path,
    *,
    block_tokens: int = BLOCK_TOKENS,
    sessions: bool = False,
    tpot_ms: float | None = None,
    overwrite: bool = False,
) -> Written:
    """Write a workload; nothing is left under `path` if that fails. Raises TraceError.

    block_tokens: of one hash id.
    sessions: write programs as sessions. tpot_ms: or at stated times, see `OpenLoop`; one of the two is needed where
        the workload has turns that wait for others.
    """
    ids = BlockIds(block_tokens)
    written = Written(path, lost=lost(workload, waits=sessions))
    requests = requests_of(workload, ids)
    with saving(path, overwrite=overwrite) as file:
        if sessions:
            lines = _sessions(requests, ids, written)
        else:
            lines = (_line(request, _timestamp(request.at_ps, written)) for request in OpenLoop(tpot_ms)(requests))
        for line in lines:
            file.write(line)
            written.requests += 1
    written.blocks = None if sessions else ids.given
    return written


def lost(workload: Workload, *, prefixes: bool = True, waits: bool = False) -> tuple[str, ...]:
    """Return what of a workload goes unsaid in a file of arrivals and lengths.

    prefixes: it says what prompts share. waits: it says which turns wait for which.
    """
    piece = next(workload.pieces())
    there = {
        "request classes": len(workload.classes) > 1,
        "when clients give up": bool(workload.patience) or piece.cancel_ps is not None,
        "names of tools": bool(workload.tools),
        "which requests are of one group": piece.group is not None,
        "shared prefixes": not prefixes and any(each is not None for each in (piece.head, piece.stream, piece.program)),
        "that turns wait for each other": not waits and piece.program is not None,
    }
    return tuple(name for name, is_there in there.items() if is_there)


def _line(request: Request, when: str, session: str = "") -> str:
    return (
        f'{{{session}{when}, "input_length": {request.prompt_tokens}, "output_length": {request.output_tokens}, '
        f'"hash_ids": {request.hash_ids}}}\n'
    )


def _timestamp(at_ps: int, written: Written) -> str:
    return f'"timestamp": {_ms(at_ps, written)}'


def _ms(ps: int, written: Written) -> int:
    """Return whole milliseconds; half of one goes up, so that order is kept."""
    written.rounded += ps % PS_PER_MS != 0
    return (ps + PS_PER_MS // 2) // PS_PER_MS


def _sessions(requests: Iterator[Request], ids: BlockIds, written: Written) -> Iterator[str]:
    """Yield lines of sessions; a request of no program is one of a single turn."""
    alone = 0
    history = held = 0
    for request in requests:
        written.prompt_tokens += request.prompt_tokens
        if request.program < 0:
            alone += 1
            yield _line(request, _timestamp(request.at_ps, written), f'"session_id": "r{alone - 1}", ')
            continue
        session = f'"session_id": "p{request.program}", '
        if request.turn == 0:
            yield _line(request, _timestamp(request.at_ps, written), session)
            held = request.prompt_tokens
        else:
            new = request.prompt_tokens - history
            written.cut += new < 1
            added = request._replace(prompt_tokens=max(new, 1), hash_ids=ids.new(max(new, 1)))
            yield _line(added, f'"delay": {_ms(request.gap_ps, written)}', session)
            held += max(new, 1)
        written.longer_tokens += held - request.prompt_tokens
        history = request.prompt_tokens + request.output_tokens
        held += request.output_tokens
