"""Study: one run replayed with nothing fitted and with one declared constant, taken apart, with an interval."""

from pathlib import Path

from simcore.cost.layers.cost import Terms
from simcore.cost.layers.held_out import left_out
from simcore.validation.ablation import ablations
from simcore.validation.by_kind import by_tokens, kinds
from simcore.validation.findings import Findings
from simcore.validation.interval import intervals
from simcore.validation.replay import replay
from simcore.validation.server_run import read_run
from simcore.validation.setting import prepare
from simcore.validation.steps import recover


def study(
    run_folder: Path,
    profile: Path,
    *,
    model: str = "",
    gpu: str = "",
    kv_blocks: int | None = None,
    overhead_s: float = 0.0,
    ablation: bool = True,
    steps: bool = True,
    interval: int = 20,
) -> Findings:
    """Return what replaying a run says.

    profile, model, gpu, kv_blocks: see `prepare`. overhead_s: the constant declared, seconds; 0: none. ablation, steps:
    whether to leave parts out, and to compare step by step. interval: replays with wrong tables, 0: no interval.

    Raises ValueError with file and rule for input that is missing or cannot be right.
    """
    run = read_run(run_folder)
    setting = prepare(run, profile, model=model, gpu=gpu, blocks=kv_blocks)
    cost = setting.cost()
    found = Findings(setting, replay(run, cost, setting.kv_blocks), overhead_s=overhead_s)
    found.outside = cost.outside()
    if overhead_s:
        terms = Terms(prefill_step_overhead_s=overhead_s)
        found.declared = replay(run, setting.cost(terms), setting.kv_blocks)
    if interval:
        found.intervals = intervals(run, cost, setting.kv_blocks, left_out(setting.tables), range(interval))
    if steps:
        if found.plain.preemptions:
            found.why_not = "requests were preempted, so tokens do not count steps"
        else:
            try:
                gaps = recover(run, cost)
                found.steps, found.tokens = kinds(gaps, run.engine.max_num_seqs), by_tokens(gaps)
            except ValueError as error:
                found.why_not = str(error)
    if ablation:
        found.variants = list(ablations(setting, Terms()))
    return found
