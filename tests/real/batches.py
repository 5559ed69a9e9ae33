"""Batches: a script of iterations in which prompts come and decodes leave, run by an engine and read in two ways."""

from typing import Any

from realbackend.work import AHEAD, Work

OUTPUTS = (14, 3, 9, 6, 11)
PROMPTS = tuple([(7 * r + i) % 1000 for i in range(3 + 2 * r)] for r in range(len(OUTPUTS)))
BLOCK_TOKENS = 4
BLOCKS = 8 * len(OUTPUTS)


def read_at_once(engine: Any) -> dict[int, list[int]]:
    """Return what each request generates, read after every iteration."""
    texts: dict[int, list[int]] = {request: [] for request in range(len(OUTPUTS))}
    for iteration in _iterations():
        tokens = engine.run(_work(iteration, texts))
        for (request, _, _), token in zip(iteration, tokens, strict=True):
            texts[request].append(token)
    return texts


def read_at_the_end(engine: Any) -> dict[int, list[int]]:
    """Return the same, with every token fed to the next iteration on the device, and none read before the last."""
    texts: dict[int, list[int]] = {request: [] for request in range(len(OUTPUTS))}
    launched = [(iteration, engine.launch(_work(iteration, None))) for iteration in _iterations()]
    for iteration, pending in launched:
        for (request, _, _), token in zip(iteration, pending.tokens(), strict=True):
            texts[request].append(token)
        assert pending.done()
    return texts


def _iterations():
    """Yield iterations: prompts come in one after the other, a decode leaves when it has its tokens.

    Each is [(request, start, tokens or None for the last one it gave)].
    """
    given = dict.fromkeys(range(len(OUTPUTS)), 0)
    waiting, running = list(given), []
    while waiting or running:
        work: list[Any] = [(r, len(PROMPTS[r]) + given[r] - 1, None) for r in running]
        if waiting and len(given) - len(waiting) <= 2 + max(given.values()):
            running.append(waiting.pop(0))
            work.append((running[-1], 0, PROMPTS[running[-1]]))
        yield work
        for request, _, _ in work:
            given[request] += 1
        running = [r for r in running if given[r] < OUTPUTS[r]]


def _work(iteration, texts):
    """Return work whose decodes have the last token of their texts; None: it is still on the device."""
    work = []
    for request, start, tokens in iteration:
        new = tokens or ([AHEAD] if texts is None else texts[request][-1:])
        last = (start + len(new) - 1) // BLOCK_TOKENS
        work.append(Work(request, start, new, list(range(8 * request, 8 * request + last + 1)), True))
    return work
