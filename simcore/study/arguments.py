"""Arguments: what a policy's constructor takes, checked before it is called.

The constructor's signature is the schema: its annotations are the types, its defaults make an argument optional.
"""

import inspect
from collections.abc import Mapping
from typing import Any, get_type_hints

from pydantic import ConfigDict, ValidationError, create_model

from simcore.contract import Policy
from simcore.study.errors import Path
from simcore.study.validate import explain


def check_arguments(policy: type[Policy], arguments: Mapping[str, Any]) -> list[tuple[Path, str]]:
    """Return what is wrong with `arguments`, as (path below the policy, message); nothing if it can be built."""
    fields: dict[str, Any] = {}
    parameters = inspect.signature(policy).parameters
    hints = _hints(policy)
    takes_any = False
    for name, parameter in parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            takes_any = True
        elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            required = parameter.default is inspect.Parameter.empty
            fields[name] = (hints.get(name, Any), ... if required else parameter.default)
    config = ConfigDict(strict=True, arbitrary_types_allowed=True, extra="allow" if takes_any else "forbid")
    schema = create_model("Arguments", __config__=config, **fields)
    try:
        schema.model_validate(dict(arguments))
    except ValidationError as error:
        known = ["policy", *fields]
        return [(_path(details), explain(details, known)) for details in error.errors(include_url=False)]
    return _constructor_problems(policy, arguments)


def _constructor_problems(policy: type[Policy], arguments: Mapping[str, Any]) -> list[tuple[Path, str]]:
    try:
        policy(**arguments)
    except ValueError as error:
        # By our own rule a message starts with the name it is about.
        about, _, rule = str(error).partition(" ")
        about = about.rstrip(":")
        return [((about,), rule) if about in arguments else ((), str(error))]
    except Exception as error:
        return [((), f"{policy.__name__} cannot be built: {type(error).__name__}: {error}")]
    return []


def _hints(policy: type[Policy]) -> dict[str, Any]:
    try:
        return get_type_hints(policy.__init__)
    except (NameError, TypeError):
        # Names that exist for the type checker alone: the constructor has to check by itself.
        return {}


def _path(details: Any) -> Path:
    """Return the argument (and list item) an error is about, without the members of a union pydantic tried."""
    first, *rest = details["loc"]
    return (first, *(step for step in rest if isinstance(step, int)))
