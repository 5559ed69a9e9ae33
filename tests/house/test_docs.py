"""The pages stay true: what they tell a reader to write and run works, and their tables name what the code has."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from simcore.cli import app
from simcore.contract import Router, Scheduler
from simcore.cost.__main__ import main as print_predictions
from simcore.results.schema import FILES
from simcore.study.validate import keys_at

ROOT = Path(__file__).parents[2]
FEW = "--set workload.requests=50 --jobs 1"


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """Return the code blocks of a page in one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", page(name), re.DOTALL | re.MULTILINE)


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SIMCORE_RUNS": str(folder / "runs")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def simcore(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of a page that starts with `simcore`."""
    return run([sys.executable, "-m", *shlex.split(line)], folder)


def test_the_page_on_policies_leads_from_an_empty_folder_to_a_compared_result(tmp_path):
    text = page("docs/write_a_policy.md")
    (policy,), (study,), (commands,) = (blocks("docs/write_a_policy.md", it) for it in ("python", "yaml", "bash"))
    for name, content in (("fewest_tokens.py", policy), ("mine.yaml", study)):
        assert f"`{name}`" in text
        (tmp_path / name).write_text(content, encoding="utf-8")
    check, compare = commands.splitlines()
    checked = simcore(check, tmp_path)
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stderr
    compared = simcore(f"{compare} {FEW}", tmp_path)
    assert compared.returncode == 0, compared.stderr
    assert "fewest_tokens_heavy keeps 90% of requests" in compared.stdout
    assert sorted(plot.name for plot in (tmp_path / "mine" / "plots").iterdir())


@pytest.mark.parametrize("name", ["README.md", "docs/studies.md"])
def test_python_on_a_page_runs(tmp_path, name):
    (program,) = blocks(name, "python")
    shrunk = program.replace(
        'Study.load("studies/ttft_slo.yaml")',
        f'Study.load("{ROOT}/studies/ttft_slo.yaml").only("random", "round_robin").set("claims", [])'
        '.set("workload.requests", 50).set("warm_up", {}).set("seeds", 1)',
    )
    assert shrunk != program
    done = run([sys.executable, "-c", shrunk.replace("replications=3", "replications=1")], tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_study_on_the_page_of_studies_is_read(tmp_path):
    (study,) = blocks("docs/studies.md", "yaml")
    (tmp_path / "s.yaml").write_text(study, encoding="utf-8")
    done = simcore("simcore validate s.yaml", tmp_path)
    missing = "systems.mine.router: no file 'my_router.py'"
    assert [line for line in done.stderr.splitlines() if missing not in line] == []


@pytest.mark.parametrize("workload", blocks("docs/traffic.md", "yaml")[0].split("\nworkload:"))
def test_the_traffic_on_its_page_is_read(tmp_path, workload):
    trace = ROOT / "traces" / "samples" / "azure_sample.csv"
    text = "workload:" + workload.removeprefix("workload:").replace("path/to/trace.csv.gz", str(trace))
    head = "study: s\nmodel: llama-3.1-8b\nhardware: h100\nsystems: {one: {}}\n"
    (tmp_path / "s.yaml").write_text(head + text, encoding="utf-8")
    done = simcore("simcore validate s.yaml", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("workload", blocks("docs/formats.md", "yaml")[0].split("\nworkload:"))
def test_the_files_on_the_page_of_formats_are_read(tmp_path, workload):
    files = tmp_path / "path" / "to"
    files.mkdir(parents=True)
    (files / "arxiv_summarization.csv").write_text("num_prefill_tokens,num_decode_tokens\n5,6\n")
    (files / "log.jsonl").write_text('{"ts": 0, "in": 5, "out": 6, "tenant": "a"}\n')
    head = "study: s\nmodel: llama-3.1-8b\nhardware: h100\nsystems: {one: {}}\n"
    (tmp_path / "s.yaml").write_text(f"{head}workload:{workload.removeprefix('workload:')}")
    done = simcore("simcore validate s.yaml", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def keys(path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the dotted keys of a study, `<name>` standing for the name of a system, without those of policies."""
    for key in keys_at(path):
        here = ("systems", "<name>") if key == "systems" else (*path, key)
        if keys_at(here) and len(here) < 3:
            yield from keys(here)
        else:
            yield ".".join(here)


def test_every_key_of_a_study_stands_on_its_page():
    table = page("docs/studies.md").partition("## Keys")[2].partition("\n## ")[0]
    written: set[str] = set()
    for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE):
        first, *others = re.findall(r"`([^`]+)`", row)
        written |= {first, *(first.rpartition(".")[0] + other for other in others)}
    assert {"study", "cluster.tp", "slo.e2el_ms", "systems.<name>.router"} <= set(keys())
    assert set(keys()) - written == set()


def test_every_option_of_run_stands_on_the_page_of_studies():
    run_options = typer.main.get_command(app).commands["run"].params  # type: ignore[attr-defined]
    later = {"--backend", "--device", "--clock", "--timeline"}
    options = {option.opts[0] for option in run_options if option.opts[0].startswith("--")} - later
    text = page("docs/studies.md")
    assert {option for option in options if f"`{option}" not in text and f"`--no-{option[2:]}`" not in text} == set()


def test_every_column_of_a_result_stands_on_the_page_of_metrics():
    files = page("docs/metrics.md").partition("## Files")[2]
    missing = {f"{name}.{column.name}" for name, columns in FILES.items() for column in columns
               if f"`{column.name}`" not in files}  # fmt: skip
    assert missing == set()


def test_every_hook_and_question_named_on_the_page_of_policies_exists():
    text = page("docs/write_a_policy.md")
    hooks = set(re.findall(r"`(on_\w+)`", text))
    assert len(hooks) >= 8
    assert {hook for hook in hooks if not (hasattr(Router, hook) or hasattr(Scheduler, hook))} == set()


def test_the_predictions_on_the_page_of_costs_are_what_is_predicted(capsys):
    print_predictions()
    assert capsys.readouterr().out in page("docs/cost_model.md")


def test_links_between_pages_lead_somewhere():
    for file in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        targets = re.findall(r"\]\((?!https?:)([^)#]+)", file.read_text(encoding="utf-8"))
        assert [target for target in targets if not (file.parent / target).exists()] == [], file.name
