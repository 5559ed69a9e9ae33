"""Values: what Python code hands to a study, as the plain values its file would hold."""

from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

from simcore.contract import Policy


def plain(value: Any) -> Any:
    """Return numbers, text, lists and mappings of the builtin types; NumPy's, pandas' and paths become those.

    Raises ValueError for anything a study file could not say.

    >>> plain({"workload.rate": range(60, 90, 10), "workload.trace": ("a.csv", None)})
    {'workload.rate': [60, 70, 80], 'workload.trace': ['a.csv', None]}
    """
    if isinstance(value, type) and issubclass(value, Policy):
        raise ValueError(_POLICY.format(name=value.__name__))
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, Mapping):
        return {_text(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(item) for item in value]
    raise ValueError(f"a {type(value).__name__} has no meaning in a study")


def _text(key: Any) -> str:
    if not isinstance(key, str):
        raise ValueError(f"keys must be text, got {key!r}")
    return key


_POLICY = (
    "a policy is named by its file, so that every process and every later run finds it: put the class {name} into "
    "one (in a notebook, a cell that begins with `%%writefile my_policy.py`) and write 'my_policy.py:{name}'"
)
