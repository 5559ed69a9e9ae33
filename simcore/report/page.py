"""Page: a result folder as `report.html`, one file that needs no other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.report.charts import latency_charts, load_charts, looks, time_charts
from simcore.report.claims import claim_row
from simcore.report.failures import failures
from simcore.report.folder import ResultFolder
from simcore.report.losses import losses_table
from simcore.report.provenance import commands, error_band, provenance_rows
from simcore.report.setup import setup, system_setups
from simcore.report.tables import classes_table, latency_table, mechanisms_table, systems_table
from simcore.report.verdict import verdict
from simcore.results.plots import telling_point
from simcore.results.plots.load import sweeps_rate
from simcore.results.plots.words import slo_words, where_words
from simcore.results.stats import Run
from simcore.results.wording import legend

if TYPE_CHECKING:
    from jinja2 import Template

NAME = "report.html"
MOST_ROWS = 48
"""Of a table before only the most telling sweep point stands open."""


def write_html(folder: Path) -> Path:
    """Write `report.html` into a result folder, from its other files alone, and return its path.

    Equal results give equal bytes, but for what stands in `provenance`. Raises NotAResult if the folder has no summary
    that this version can read.
    """
    text = render(ResultFolder.read(folder))
    path = folder / NAME
    path.write_text(text, encoding="utf-8")
    return path


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: `section_<id>.html`; `short` is what the navigation calls it."""

    id: str
    title: str
    short: str


def render(folder: ResultFolder) -> str:
    """Return the page."""
    content = _content(folder)
    return _template().render(content, sections=list(_sections(content)))


def _sections(content: Mapping[str, Any]) -> Iterator[Section]:
    """Yield the sections that have something to say, in order."""
    yield Section("verdict", "Verdict", "Verdict")
    if content["systems"]:
        yield Section("systems", "The systems side by side", "Systems")
    if content["load"]:
        swept = sweeps_rate(content["summary"])
        yield Section(
            "load", "Service as load grows" if swept else "Service within the SLO", "Load" if swept else "SLO"
        )
    if content["latency"]:
        yield Section("latency", f"Latency{content['where']}", "Latency")
    if content["over_time"]:
        yield Section("time", f"Over time{content['where']}", "Over time")
    if content["claims"]:
        yield Section("claims", "Claims", "Claims")
    yield Section("losses", "Requests that did not complete", "Losses")
    if content["failures"]:
        yield Section("failed", "Runs that failed", "Failed runs")
    yield Section("setup", "What was run", "Setup")
    if content["modelled"]:
        yield Section("error", "How far off the cost model may be", "Error")
    yield Section("provenance", "Provenance", "Provenance")
    yield Section("reproduce", "Run it again", "Run again")


def _content(folder: ResultFolder) -> dict[str, Any]:
    """Return what the templates show, by name."""
    summary = folder.summary
    runs = summary["runs"]
    point = telling_point(summary)
    seed, over_time = time_charts(folder, point)
    systems = systems_table(runs) if runs else None
    many = systems is not None and len(systems.rows) > MOST_ROWS
    return {
        "summary": summary,
        "facts": _facts(folder),
        "verdict": verdict(folder),
        "looks": looks(summary),
        "slo": slo_words(summary["slo"]),
        "systems": systems,
        "systems_here": systems_table([run for run in runs if run["point"] == point]) if many else None,
        "legend_text": _legend(runs),
        "mechanisms": mechanisms_table(runs),
        "classes": classes_table(runs),
        "load": load_charts(folder),
        "where": where_words(point),
        "latency": latency_charts(folder, point),
        "percentiles": latency_table(runs, point) if runs else None,
        "over_time": over_time,
        "seed": seed,
        "claims": [claim_row(entry) for entry in summary.get("claims", ())],
        "losses": losses_table(runs),
        "arrived": sum(run["metrics"]["arrived"] for run in runs),
        "failures": failures(folder.failures),
        "setup": setup(folder.study, summary),
        "system_setups": system_setups(folder.study),
        "study_text": folder.study_text,
        "modelled": summary["clock"] == "model",
        "error": error_band(summary["provenance"], fp8=folder.study.get("model", {}).get("weights_dtype") == "fp8"),
        "provenance": provenance_rows(summary["provenance"]),
        "commands": list(commands(summary["provenance"])),
    }


@cache
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("simcore", "data/report")
    # Names and questions are other people's text: everything is escaped that a template does not call safe.
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html")


def _facts(folder: ResultFolder) -> list[str]:
    """Return the study in a line: what runs on what, and how often."""
    runs, study = folder.summary["runs"], folder.study
    cluster = study.get("cluster", {})
    instances = cluster.get("instances")
    swept = folder.study.get("sweep") or {}
    hardware = study.get("hardware")
    gpus = (
        f"{hardware}"
        if "cluster.instances" in swept or not instances
        else f"{instances} \N{MULTIPLICATION SIGN} {hardware}"
    )
    counts = (
        (len({run["system"] for run in runs}), "system"),
        (len({str(run["point"]) for run in runs}), "sweep point"),
        (len({run["seed"] for run in runs}), "seed"),
    )
    model = study.get("model", {})
    return [
        "simulated" if folder.summary["backend"] == "sim" else "measured on the real engine",
        *([f"{model.get('name', '')} on {gpus}"] if hardware else []),
        *(f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts),
    ]


def _legend(runs: Sequence[Run]) -> str:
    """Return what the marks in the tables mean."""
    lines = list(legend(runs)) if runs else []
    compared = len({run["system"] for run in runs}) > 1
    return "; ".join([*lines, *(["blue: better, orange: worse"] if compared else [])])
