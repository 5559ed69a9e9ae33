"""The arrows of the house: who may import whom, read from the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

POLICY_MAY = {
    "simcore.contract",
    "numpy",
    *("__future__", "abc", "bisect", "collections", "collections.abc", "dataclasses", "enum", "fractions"),
    *("functools", "heapq", "itertools", "math", "operator", "statistics", "typing"),
}

LAYERS = {
    # part of simcore: parts it may import
    "contract": {"contract"},
    "books": {"contract", "books"},
    "cost": {"contract", "cost"},
    "simulator": {"contract", "books", "simulator"},
    "results": {"contract", "simulator", "results"},
    "report": {"contract", "results", "report"},
    "study": {"contract", "cost", "simulator", "results", "report", "capacity", "serve", "study", ""},
    "fidelity": {"contract", "cost", "simulator", "results", "study", "fidelity", ""},
    "capacity": {"contract", "results", "study", "capacity", ""},
    "serve": {"contract", "simulator", "results", "study", "serve", ""},
    "agents": {"contract", "results", "study", "agents", ""},
    "validation": {"contract", "cost", "simulator", "results", "study", "commands", "validation", ""},
    "commands": {
        *("contract", "cost", "results", "report", "study", "fidelity", "capacity", "serve", "agents", "commands", ""),
    },
}


def imports(path: Path) -> list[tuple[int, str, bool]]:
    """Return (line, module, at import time) of each import in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.Lambda) for n in ast.walk(f)}
    guarded = {
        id(n)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for n in ast.walk(branch)
    }
    found = []
    for node in ast.walk(tree):
        now = id(node) not in inside and id(node) not in guarded
        if isinstance(node, ast.Import):
            found += [(node.lineno, name.name, now) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative imports hide the arrows"
            found.append((node.lineno, node.module or "", now))
    return found


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", files("policies"), ids=lambda p: p.name)
def test_a_policy_imports_the_contract_other_policies_and_the_pure_standard_library_only(path):
    for line, module, _ in imports(path):
        fine = module in POLICY_MAY or module.startswith("policies.")
        assert fine, f"{path}:{line}: policies must not import {module}"


@pytest.mark.parametrize("path", files("traces"), ids=lambda p: p.name)
def test_traces_know_only_the_contract_of_simcore(path):
    for line, module, _ in imports(path):
        if module.split(".")[0] in ("simcore", "policies", "realbackend", "kernels"):
            assert module.startswith("simcore.contract"), f"{path}:{line}: traces must not import {module}"


@pytest.mark.parametrize("path", files("kernels"), ids=lambda p: str(p.relative_to(ROOT)))
def test_kernels_know_tensors_and_nothing_of_simcore(path):
    for line, module, _ in imports(path):
        assert module.split(".")[0] not in ("simcore", "policies", "traces", "realbackend"), f"{path}:{line}: {module}"


REAL_MAY = {"contract", "books", "simulator", "cost", "fidelity"}
TORCH_FREE = ("cluster", "work", "texts", "pace", "host", "wall", "worker", "run")


@pytest.mark.parametrize("path", files("realbackend"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_real_backend_knows_the_contract_the_books_and_the_simulator(path):
    for line, module, now in imports(path):
        head, *rest = module.split(".")
        assert head not in ("policies", "traces"), f"{path}:{line}: imports {module}"
        if head == "simcore":
            assert rest[0] in REAL_MAY, f"{path}:{line}: the real backend must not import {module}"
        if path.stem in TORCH_FREE and now:
            assert head not in ("torch", "triton", "kernels"), f"{path}:{line}: imports {module} at import time"


@pytest.mark.parametrize("path", files("simcore"), ids=lambda p: str(p.relative_to(ROOT)))
def test_simcore_imports_downwards_and_never_torch_or_the_real_backend(path):
    part = path.relative_to(ROOT / "simcore").parts[0] if path.parent != ROOT / "simcore" else None
    for line, module, now in imports(path):
        head = module.split(".")[0]
        assert not (now and head in ("torch", "triton", "realbackend", "kernels")), f"{path}:{line}: imports {module}"
        if head == "simpy":
            assert part == "simulator", f"{path}:{line}: only the simulator knows SimPy"
        if part in LAYERS and head == "simcore":
            below = ".".join(module.split(".")[1:2])
            assert below in LAYERS[part], f"{path}:{line}: simcore.{part} must not import {module}"


def test_help_and_import_are_light():
    heavy = ("torch", "pandas", "scipy.stats", "matplotlib", "pyarrow", "starlette", "uvicorn", "aiohttp")
    program = (
        "import sys, simcore, simcore.cli\n"
        "from typer.testing import CliRunner\n"
        "assert CliRunner().invoke(simcore.cli.app, ['--help']).exit_code == 0\n"
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"
