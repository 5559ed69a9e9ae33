"""Registry: from the name of a policy in a study to its class, wherever it lives.

A name is a module of the package `policies` (`power_of_two`), a file and a class (`path/to/file.py:MyRouter`, the
class may be left out where the file has one of the role), or an installed entry point of the group
`simcore.policies`.
"""

import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from simcore.contract import Policy, Rollout, Router, Scheduler
from simcore.study.errors import unknown

ENTRY_POINTS = "simcore.policies"
FROM_FILE = "simcore_policy_"
"""Prefix of the modules made of files."""
ROLES: dict[str, type[Policy]] = {"router": Router, "scheduler": Scheduler, "rollout": Rollout}


def find_policy(name: str, role: str, folders: Sequence[Path] = ()) -> type[Policy]:
    """Return the class called `name` for a role ("router", "scheduler", "rollout").

    Relative files are looked for in `folders`, in order. Raises ValueError, in one line, if there is no such
    policy, if it does not import, or if it is of another role.
    """
    where, _, class_name = name.partition(":")
    if where.endswith(".py"):
        return _class_in(_load_file(_locate(where, folders)), where, role, class_name)
    if where in _registered():
        return _class_in(_load_registered(where), where, role, class_name)
    for point in _points():
        if point.name == name:
            return _load_point(point, role)
    if "/" in where:
        raise ValueError(f"'{name}' looks like a file; write path/to/file.py:Class")
    raise ValueError(unknown(role, name, policy_names(role)))


def policy_names(role: str) -> list[str]:
    """Return the names known for a role, sorted. Policies that do not import are left out."""
    return sorted({name for name, _ in _known(role)})


def describe(name: str, role: str) -> str:
    """Return the first line of a known policy's documentation."""
    policy = find_policy(name, role)
    module = inspect.getdoc(inspect.getmodule(policy)) or ""
    return (module or inspect.getdoc(policy) or "").partition("\n")[0]


def source_file(policy: type[Policy]) -> Path:
    """Return the file that defines a policy."""
    return Path(inspect.getfile(policy)).resolve()


def is_from_file(policy: type[Policy]) -> bool:
    """Return whether a policy was named by its file."""
    return policy.__module__.startswith(FROM_FILE)


def role_of(policy: type) -> str:
    """Return the role a policy plays."""
    return next(role for role, base in ROLES.items() if issubclass(policy, base))


def _known(role: str) -> Iterator[tuple[str, type[Policy]]]:
    for name in [*_registered(), *(point.name for point in _points())]:
        try:
            yield name, find_policy(name, role)
        except ValueError:
            continue


@cache
def _registered() -> tuple[str, ...]:
    package = importlib.import_module("policies")
    return tuple(sorted(module.name for module in pkgutil.iter_modules(package.__path__)))


@cache
def _points() -> tuple[EntryPoint, ...]:
    return tuple(sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name))


def _load_registered(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"policies.{name}")
    except Exception as error:
        raise ValueError(f"policy '{name}' does not import: {_last_line(error)}") from error


def _load_point(point: EntryPoint, role: str) -> type[Policy]:
    try:
        loaded = point.load()
    except Exception as error:
        raise ValueError(f"policy '{point.name}' ({point.value}) does not import: {_last_line(error)}") from error
    if not (isinstance(loaded, type) and issubclass(loaded, ROLES[role])):
        raise ValueError(f"policy '{point.name}' ({point.value}) is not a {role}{_is_instead(loaded)}")
    return loaded


def _locate(file: str, folders: Sequence[Path]) -> Path:
    tried = [(folder / file).resolve() for folder in folders] or [Path(file).resolve()]
    for path in tried:
        if path.is_file():
            return path
    raise ValueError(f"no file '{file}'; looked for {' and '.join(dict.fromkeys(map(str, tried)))}")


def _load_file(path: Path) -> ModuleType:
    """Import a file under a name that its content decides: once per content, whoever asks."""
    name = f"{FROM_FILE}{path.stem}_{hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, f"{path} ends in .py"
    assert spec.loader is not None, f"{path} ends in .py"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ValueError(f"{path.name} does not import: {_last_line(error, path)}") from error
    return module


def _class_in(module: ModuleType, where: str, role: str, class_name: str) -> type[Policy]:
    """Return the class of a module that plays a role: the one named, or the only one."""
    policies = [
        value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__
    ]
    base = ROLES[role]
    fitting = [policy for policy in policies if issubclass(policy, base)]
    if class_name:
        named = [policy for policy in policies if policy.__name__ == class_name]
        if not named:
            raise ValueError(unknown(f"class in {where}", class_name, [policy.__name__ for policy in policies]))
        if not issubclass(named[0], base):
            raise ValueError(f"{where}:{class_name} is not a {role}{_is_instead(named[0])}")
        return named[0]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(f"{where}:{policy.__name__}" for policy in fitting)
        raise ValueError(f"{where} has several {role}s; write one of {names}")
    others = [policy for policy in policies if issubclass(policy, Policy)]
    raise ValueError(f"{where} has no {role}{_is_instead(others[0]) if others else ''}")


def _is_instead(found: object) -> str:
    if isinstance(found, type) and issubclass(found, tuple(ROLES.values())):
        return f"; {found.__name__} is a {role_of(found)}"
    return ""


def _last_line(error: Exception, file: Path | None = None) -> str:
    """Return what went wrong, and the line of `file` where it did."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    line = error.lineno if isinstance(error, SyntaxError) else next(reversed(lines), None)
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {message}" + (f" (line {line})" if line else "")
