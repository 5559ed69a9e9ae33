"""Unrolling: programs, each with its turns one after the other, as requests whose prompts hold their history.

What a generator draws and what a reader of conversations finds become `Arrivals` here.
"""

import numpy as np

from simcore.contract.traffic import Arrivals, Column
from traces import heads


def unrolled(
    at_ps: Column,
    turns: Column,
    first_prompt_tokens: Column,
    *,
    new_tokens: Column,
    output_tokens: Column,
    wait_ps: Column,
    tool: Column | None = None,
    system_prompt: Column | None = None,
    system_prompt_tokens: int = 0,
    max_context_tokens: int | None = None,
    number: int = 0,
) -> Arrivals:
    """Return the turns of programs as requests, program after program.

    at_ps, turns, first_prompt_tokens, system_prompt: [p] of each program; the first prompt without the system prompt,
        the system prompt as a number, programs with equal ones share it.
    new_tokens, output_tokens, wait_ps, tool: [m] of each turn, program after program: what its prompt adds to prompt
        and output of the turn before (of a first turn: not looked at), what it generates, and the wait after it, in
        which `tool` runs. A program's last turn ends in no tool.
    max_context_tokens: a program ends before the first turn whose prompt would be longer, and its first prompt is cut.
    number: of the first program.

    >>> two = np.array([2])
    >>> chat = unrolled(np.array([5]), two, np.array([10]), new_tokens=np.array([0, 3]), output_tokens=np.array([4, 6]),
    ...                 wait_ps=np.array([70, 80]))
    >>> chat.at_ps.tolist(), chat.prompt_tokens.tolist(), chat.turn.tolist(), chat.gap_ps.tolist()
    ([5, 5], [10, 17], [0, 1], [0, 70])
    """
    programs = np.arange(len(turns), dtype=np.int64)
    owner = np.repeat(programs, turns)
    start = np.cumsum(turns) - turns
    turn = np.arange(len(owner), dtype=np.int64) - start[owner]
    begins = turn == 0

    opening = first_prompt_tokens + system_prompt_tokens
    if max_context_tokens is not None:
        opening = np.minimum(opening, max_context_tokens)
    grown = np.where(begins, opening[owner], new_tokens + _after(output_tokens))
    total = np.cumsum(grown)
    prompt_tokens = total - (total - grown)[start][owner]

    kept = slice(None) if max_context_tokens is None else prompt_tokens <= max_context_tokens
    owner, turn = owner[kept], turn[kept]
    if tool is not None:
        last = np.append(turn[1:] == 0, True)
        tool = np.where(last, -1, tool[kept])
    head = None
    if system_prompt is not None and system_prompt_tokens:
        head = heads.of_one_segment(system_prompt[owner], system_prompt_tokens)
    return Arrivals(
        at_ps[owner],
        prompt_tokens[kept],
        output_tokens[kept],
        program=owner + number,
        turn=turn,
        gap_ps=np.where(begins, 0, _after(wait_ps))[kept],
        tool=tool,
        head=head,
    )


def _after(column: Column) -> Column:
    """Return what the row above has."""
    return np.concatenate(([0], column[:-1]))
