"""Training check: what a study with `real.training` must be for its model to learn."""

from simcore.study.document import Document
from simcore.study.errors import Problem
from simcore.study.resolve import Resolved
from simcore.study.traffic import open_workload

_LEAST_TOKENS = {"copy": 3, "reverse": 3, "sort": 3, "add": 4}
_POSITIONS = 256


def training_problems(document: Document, resolved: Resolved, clock: str) -> list[Problem]:
    """Return what keeps the model of a study from learning; nothing for a study without training."""
    spec = resolved.spec
    training = spec.real.training
    if training is None:
        return []
    at = ("real", "training")
    if spec.rollout is None:
        return [document.problem(at, "needs the study to say `rollout: {steps: …, groups: …}`")]
    problems = []
    if clock == "wall":
        problems.append(document.problem(at, "learns under --clock model or --clock measured, got wall"))
    piece = next(iter(open_workload(spec, resolved.trace_file, spec.seeds[0]).pieces()))
    least, fewest = _LEAST_TOKENS[training.task], int(piece.prompt_tokens.min())
    if fewest < least:
        rule = f"prompts to {training.task} must have at least {least} tokens, got {fewest}"
        problems.append(document.problem(("workload",), rule))
    cap = spec.rollout.max_tokens or int(piece.output_tokens.max())
    longest = int(piece.prompt_tokens.max()) + cap
    if longest > _POSITIONS:
        rule = f"prompts and answers must fit {_POSITIONS} tokens where a model learns, got {longest}"
        problems.append(document.problem(("workload",), rule))
    return problems
