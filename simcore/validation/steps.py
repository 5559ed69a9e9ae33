"""Steps: the iterations a real server went through, recovered from when first and last tokens came.

A request that is never preempted gains one token a step, so between its first and last token lie `output - 1` steps;
and tokens of one step bear one date. That settles almost how many steps lie between any two dates; where it does not,
the numbers nearest to a cost model's are taken, by integer programming. Then every step's batch is known, and between
two dates the server's time stands beside the model's.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from simcore.contract import PS_PER_S, CostModel, Shape
from simcore.validation.server_run import Counts, Seconds, ServerRun

_ROUNDS = 6
_TIME_LIMIT_S = 20.0
_GAP = 1e-3


@dataclass(frozen=True, slots=True)
class Gaps:
    """Between one date and the next, [m] each.

    steps: iterations. took_s, model_s: what they took, and what the model says. decodes: mean number of them; 0: the
    server stood idle meanwhile, or may have.
    prefills: steps with a prompt in them. tokens: tokens of the last step with one.
    """

    steps: Counts
    took_s: Seconds
    model_s: Seconds
    decodes: Seconds
    prefills: Counts
    tokens: Counts


def recover(run: ServerRun, cost: CostModel) -> Gaps:
    """Return what lay between the dates of a run. Raises ValueError when no numbers of steps fit: it preempted."""
    dates, where = np.unique(np.concatenate([run.first_s, run.last_s]), return_inverse=True)
    first, last = where[: len(run)], where[len(run) :]
    took_s = np.diff(dates)
    steps = np.maximum(1, np.round(took_s / np.median(took_s))).astype(np.int64)
    expected = _alone_s(run, cost, dates, first)
    for _ in range(_ROUNDS):
        found = _nearest(run, first, last, took_s, *expected)
        if np.array_equal(found, steps):
            break
        steps = found
        expected = _expected(run, cost, steps, first, took_s)
    return _gaps(run, cost, steps, first, took_s)


def _nearest(
    run: ServerRun,
    first: NDArray[np.intp],
    last: NDArray[np.intp],
    took_s: Seconds,
    step_s: Seconds,
    more_s: Seconds,
) -> Counts:
    """Return the whole numbers of steps that give every request its tokens, nearest to `step_s` a step."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_matrix, hstack, identity

    gaps = len(took_s)
    covers = np.zeros((len(run), gaps))
    for row, (begin, end) in enumerate(zip(first, last, strict=True)):
        covers[row, begin:end] = 1
    tokens = csr_matrix(np.hstack([covers, np.zeros_like(covers)]))
    one = identity(gaps)
    expected = (took_s - more_s) / step_s
    # The second half of the unknowns is how far each number is from what is expected.
    answer = milp(
        np.concatenate([np.zeros(gaps), np.ones(gaps)]),
        constraints=[
            LinearConstraint(tokens, run.output - 1, run.output - 1),
            LinearConstraint(hstack([one, -one]).tocsr(), -np.inf, expected),
            LinearConstraint(hstack([-one, -one]).tocsr(), -np.inf, -expected),
        ],
        integrality=np.concatenate([np.ones(gaps), np.zeros(gaps)]),
        bounds=Bounds(np.concatenate([np.ones(gaps), np.zeros(gaps)]), np.inf),
        options={"time_limit": _TIME_LIMIT_S, "mip_rel_gap": _GAP},
    )
    if answer.x is None:
        raise ValueError("no numbers of steps give every request its tokens: the server preempted some")
    numbers: Counts = np.round(answer.x[:gaps]).astype(np.int64)
    return numbers


def _alone_s(run: ServerRun, cost: CostModel, dates: Seconds, first: NDArray[np.intp]) -> tuple[Seconds, Seconds]:
    """Return by gap what a step of decodes takes, and what the prompts that end with it add; going by dates alone."""
    step_s, more_s = np.empty(len(dates) - 1), np.zeros(len(dates) - 1)
    for gap, date in enumerate(dates[:-1]):
        runs = (run.first_s <= date) & (run.last_s > date)
        share = (date - run.first_s[runs]) / (run.last_s[runs] - run.first_s[runs])
        contexts = (run.prompt[runs] + share * run.output[runs]).astype(np.int64) + 1
        chunks = [(int(run.prompt[i] - run.hits[i]), int(run.hits[i])) for i in np.flatnonzero(first == gap + 1)]
        step_s[gap], more_s[gap] = _priced(cost, contexts, chunks)
    return step_s, more_s


def _expected(
    run: ServerRun, cost: CostModel, steps: Counts, first: NDArray[np.intp], took_s: Seconds
) -> tuple[Seconds, Seconds]:
    """Return the same by the batches that `steps` would mean, with what steps with prompts took longer so far."""
    gaps = _gaps(run, cost, steps, first, took_s)
    longer_s = 0.0
    with_prompts = gaps.prefills > 0
    if with_prompts.any():
        longer_s = float(np.median((gaps.took_s - gaps.model_s)[with_prompts] / gaps.prefills[with_prompts]))
    step_s, more_s = np.empty(len(steps)), np.zeros(len(steps))
    for gap, batches in enumerate(_by_gap(run, steps, first)):
        step_s[gap] = _priced(cost, *batches[-1])[0]
        for contexts, chunks in batches:
            if chunks:
                more_s[gap] += sum(_priced(cost, contexts, chunks)) - step_s[gap] + longer_s
    return step_s, more_s


def _priced(cost: CostModel, contexts: Counts, chunks: list[tuple[int, int]]) -> tuple[float, float]:
    """Return seconds of these decodes alone, and what these chunks add; of the chunks alone where nothing decodes."""
    count, total = len(contexts), int(contexts.sum())
    longest = int(contexts.max()) if count else 0
    alone = cost.line(Shape(count, total, longest))[0] / PS_PER_S if count else 0.0
    both = cost.line(Shape(count, total, longest, chunks))[0] / PS_PER_S if chunks else alone
    return (alone, both - alone) if count else (both, 0.0)


Batch = tuple[Counts, list[tuple[int, int]]]


def _by_gap(run: ServerRun, steps: Counts, first: NDArray[np.intp]) -> list[list[Batch]]:
    """Return the batches of each gap: contexts of decodes, own new token included, and chunks (new, before)."""
    at = np.concatenate([[0], np.cumsum(steps)])
    begin = at[first]
    end = begin + run.output - 1
    chunks = _chunks(run, begin, end)
    batches: list[Batch] = []
    for step in range(1, int(at[-1]) + 1):
        decoding = (begin < step) & (end >= step)
        contexts = run.prompt[decoding] + step - begin[decoding]
        batches.append((contexts, [(new, before) for _, new, before in chunks.get(step, [])]))
    return [batches[low:high] for low, high in pairwise(at.tolist())]


def _chunks(run: ServerRun, begin: Counts, end: Counts) -> dict[int, list[tuple[int, int, int]]]:
    """Return by step the chunks (request, new, before), first come first.

    What a step had no room for was in the steps before it.
    """
    budget = run.engine.max_num_batched_tokens
    chunks: dict[int, list[tuple[int, int, int]]] = {}
    for step in sorted(set(begin.tolist())):
        ending = np.flatnonzero(begin == step).tolist()
        for i in ending:
            chunks.setdefault(step, []).append((i, int(run.prompt[i] - run.hits[i]), int(run.hits[i])))
        oldest, new, before = chunks[step][0]
        over = sum(tokens for _, tokens, _ in chunks[step]) + _decoding(begin, end, step) - budget
        # Chosen in an earlier step than the others of its own, it began there, with what room there was.
        early = run.scheduled_s[oldest] < run.scheduled_s[ending[-1]] - 1e-6
        back, parts = step - 1, []
        while (over > 0 or early) and back > 0:
            room = budget - _decoding(begin, end, back) - sum(tokens for _, tokens, _ in chunks.get(back, []))
            part = min(room, new - 1)
            early = False
            back -= 1
            if part <= 0:
                continue
            parts.append((back + 1, part))
            new -= part
            over -= part
        for at, part in reversed(parts):
            chunks.setdefault(at, []).append((oldest, part, before))
            before += part
        chunks[step][0] = (oldest, new, before)
    return chunks


def _decoding(begin: Counts, end: Counts, step: int) -> int:
    return int(((begin < step) & (end >= step)).sum())


def _gaps(run: ServerRun, cost: CostModel, steps: Counts, first: NDArray[np.intp], took_s: Seconds) -> Gaps:
    model_s, decodes = np.zeros(len(steps)), np.zeros(len(steps))
    prefills, tokens = np.zeros(len(steps), dtype=np.int64), np.zeros(len(steps), dtype=np.int64)
    for gap, batches in enumerate(_by_gap(run, steps, first)):
        for contexts, chunks in batches:
            model_s[gap] += sum(_priced(cost, contexts, chunks))
            decodes[gap] += len(contexts) / len(batches)
            if chunks:
                prefills[gap] += 1
                tokens[gap] = len(contexts) + sum(new for new, _ in chunks)
    return Gaps(steps, took_s, model_s, decodes, prefills, tokens)
