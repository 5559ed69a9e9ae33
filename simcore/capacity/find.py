"""Find: from a study and a key to its capacity, in a result folder."""

from collections.abc import Sequence
from pathlib import Path

from simcore.capacity.answer import answer
from simcore.capacity.bench import Bench
from simcore.capacity.checks import check
from simcore.capacity.explore import explore
from simcore.capacity.keys import RATE, Find
from simcore.capacity.question import ask
from simcore.capacity.report import REPORT, content
from simcore.capacity.result import Capacity
from simcore.study.document import Document
from simcore.study.folder import RESOLVED, default_out, prepare, resolved_text, runs_root, writing
from simcore.study.report import provenance


def find_capacity(
    document: Document,
    vary: str = RATE,
    *,
    low: float | None = None,
    high: float | None = None,
    tolerance: float = 0.01,
    find: Find | None = None,
    seeds: int | None = None,
    slo: Sequence[str] = (),
    metric: str | None = None,
    target: float | None = None,
    check_length: bool = True,
    jobs: int | None = None,
    out: Path | str | None = None,
    plots: bool = True,
    quiet: bool = True,
    command: Sequence[str] = (),
) -> Capacity:
    """Find how far `vary` can go before what is asked is missed, for every system of a study.

    Args:
        vary: dotted key of a number; one that is swept is then searched around that sweep, the other swept keys stay.
        low, high: limits of the search; None: 1024 times less and more than where it begins.
        tolerance: share to which each seed's value is closed in on.
        find: "highest" or "lowest" value; None: what is usual for the key, "lowest" of instances and memory.
        seeds: number of replications; None: as in the study, or 3.
        slo: criteria such as "p99_ttft_ms<=500"; all must be met.
        metric, target: one more, by name and bound; with neither, `slo_attainment` and the study's `slo.attainment`.
        check_length: repeat the answer with twice the requests.
        jobs: processes; None: one a core.
        out: result folder; None: `<study>-capacity-<UTC>` in `$SIMCORE_RUNS`, or in `runs`.
        plots: draw the figure.
        quiet: say nothing on stderr.
        command: what the user typed, for the provenance.

    Raises StudyError for a question or study that cannot be used, Interrupted on Ctrl-C; what has run is kept.
    """
    question = ask(
        document,
        vary,
        low=low,
        high=high,
        tolerance=tolerance,
        find=find,
        seeds=seeds,
        slo=slo,
        metric=metric,
        target=target,
    )
    root = runs_root()
    folder = Path(out) if out is not None else default_out(root, f"{question.first.spec.study}-capacity")
    prepare(folder)
    bench = Bench(question, root, jobs=jobs, quiet=quiet)
    answers = [answer(explored, question.field) for explored in explore(bench)]
    checked = check(bench, answers, length=check_length)
    with writing(folder):
        from simcore.results.cell import write_json

        (folder / RESOLVED).write_text(resolved_text(question.first), encoding="utf-8")
        made_by = provenance(question.first, command)
        write_json(folder / REPORT, {**content(bench, answers, checked), "provenance": made_by})
        if plots:
            from simcore.capacity.plot import draw

            (folder / "plots").mkdir(exist_ok=True)
            draw(folder)
    return Capacity(folder, bench.computed)
