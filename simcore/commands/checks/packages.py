"""Packages: what simcore needs and what it can use, by their metadata alone: nothing is imported."""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from simcore.commands.checks.check import Check

REQUIRED = (
    "simpy>=4.1.1",
    "numpy>=2.0",
    "scipy>=1.14",
    "pandas>=2.2",
    "matplotlib>=3.9",
    "pydantic>=2.10,<3",
    "ruamel.yaml>=0.18",
    "typer>=0.15",
    "rich>=13.9",
    "pyarrow>=18",
    "joblib>=1.4",
    "zstandard>=0.22",
    "jinja2>=3.1",
    "pooch>=1.8",
)
"""As `pyproject.toml` has them; a checkout that is only on the path has no metadata to ask."""
PYTHON = (3, 11)
TORCH = "torch>=2.6,<=2.13.0"
TRITON = "triton>=3.2"
RAY = "ray>=2.40"
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"


def required_packages() -> Iterator[Check]:
    """Yield Python, and all that simcore cannot do without."""
    found = ".".join(map(str, sys.version_info[:3]))
    enough = sys.version_info >= PYTHON
    least = ".".join(map(str, PYTHON))
    yield Check(
        "Python", "ok" if enough else "problem", found, "" if enough else f"simcore needs Python {least} or newer"
    )
    wrong = [requirement for requirement in REQUIRED if not _fits(requirement)]
    if wrong:
        said = ", ".join(f"{_name(each)} {installed(_name(each)) or 'is missing'}" for each in wrong)
        quoted = " ".join(f"'{each}'" for each in wrong)
        yield Check("packages", "problem", said, f"pip install {quoted}")
        return
    yield Check("packages", "ok", ", ".join(f"{_name(each)} {installed(_name(each))}" for each in REQUIRED))


def optional_packages(*, has_gpu: bool) -> Iterator[Check]:
    """Yield what a real engine and a cluster of machines need."""
    wheels = "" if has_gpu else f" --index-url {CPU_WHEELS}"
    yield _optional("torch", f"pip install '{TORCH}'{wheels}", "the real engine needs it")
    yield _optional("triton", f"pip install '{TRITON}'", "the real engine's GPU kernels need it")
    yield _optional("ray", f"pip install '{RAY}'", "`--engine ray` needs it")


def installed(package: str) -> str | None:
    """Return the version of a package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _optional(package: str, fix: str, use: str) -> Check:
    found = installed(package)
    return Check(package, "ok", found) if found else Check(package, "absent", f"not installed: {use}", fix)


def _fits(requirement: str) -> bool:
    found = installed(_name(requirement))
    if found is None:
        return False
    for relation, bound in re.findall(r"(>=|<)([\d.]+)", requirement):
        if (_numbers(found) >= _numbers(bound)) != (relation == ">="):
            return False
    return True


def _name(requirement: str) -> str:
    return re.split(r"[<>=]", requirement, maxsplit=1)[0]


def _numbers(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version.

    >>> _numbers("2.13.0+cpu"), _numbers("3.0rc1")
    ((2, 13, 0), (3, 0))
    """
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(map(int, found.group().split("."))) if found else ()
