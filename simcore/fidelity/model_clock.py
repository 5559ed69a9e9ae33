"""Model clock: real tensors on the cost model's time decide as the simulator does, and lose or mix up no KV."""

from dataclasses import dataclass, replace

from simcore.contract import Workload
from simcore.fidelity.bench import Bench
from simcore.fidelity.decisions import Difference, first_difference
from simcore.fidelity.kept import Kept
from simcore.simulator import simulate
from simcore.simulator.settings import Settings


@dataclass(frozen=True, slots=True)
class Equality:
    """What a real run and a simulated one have in common.

    decisions: of the real run. difference: the first, if there is one. requests, tokens: that were generated.
    others: tokens that are not the most likely ones behind the undisturbed text before them. first_other: (request,
        place in what it generated) of the first of these.
    """

    decisions: int
    difference: Difference | None
    requests: int
    tokens: int
    others: int
    first_other: tuple[int, int] | None


def equality(bench: Bench, settings: Settings, workload: Workload) -> Equality:
    """Run a workload on engines under the model clock and in the simulator; compare decisions, and tokens."""
    settings = replace(settings, record_decisions=True)
    real, simulated = Kept(), Kept()
    ran = bench.run(settings, workload, real, clock="model", keep_prompts=True)
    simulate(settings, workload, simulated)
    likely = bench.most_likely(ran.prompts, ran.generated)
    others = [
        (request, place)
        for request, tokens in sorted(ran.generated.items())
        for place, (token, expected) in enumerate(zip(tokens, likely[request], strict=True))
        if token != expected
    ]
    return Equality(
        decisions=len(real.decision_rows),
        difference=first_difference(real.decision_rows, simulated.decision_rows),
        requests=len(ran.generated),
        tokens=sum(map(len, ran.generated.values())),
        others=len(others),
        first_other=others[0] if others else None,
    )
