"""Validate: plain data against the schema, every mismatch in our own words and at its place."""

from collections.abc import Sequence
from copy import deepcopy
from fnmatch import fnmatchcase
from re import findall
from typing import Any, get_args

from pydantic import ValidationError

from simcore import __version__
from simcore.study.document import Document
from simcore.study.errors import Path, Problem, dotted, nearest, shown
from simcore.study.load import REPEATED
from simcore.study.schema import LATER, STAND_IN, StudySpec
from simcore.study.spec import Spec


def check_schema(document: Document) -> tuple[StudySpec, frozenset[str], list[Problem]]:
    """Return the study, the top-level keys in it that can be trusted, and what is wrong with the document.

    What is wrong is left out, or replaced as in `STAND_IN`, so that all that is wrong with the rest can be said too.
    """
    data = deepcopy(document.data)
    stood_in: set[str] = set()
    known = {problem.path for problem in document.problems if problem.message != REPEATED}
    problems: list[Problem] | None = None
    while True:
        try:
            return StudySpec.model_validate(data), frozenset(StudySpec.model_fields) - stood_in, problems or []
        except ValidationError as error:
            details = _telling(error.errors(include_url=False))
        # Leaving something out may break what held it; that is no news.
        if problems is None:
            found = [_problem(document, detail) for detail in details]
            problems = [problem for problem in found if problem.path not in known]
        for detail in details:
            stood_in |= _leave_out(data, _written(detail))


def _telling(details: Sequence[Any]) -> list[Any]:
    """Return the errors without those that a list is too short which only wrong items made so."""
    inside = {detail["loc"][:-1] for detail in details}
    return [detail for detail in details if detail["type"] != "too_short" or detail["loc"] not in inside]


def _leave_out(data: dict[str, Any], path: Path) -> set[str]:
    """Remove what stands at `path`, or what lacks it; return the top-level key that got a stand-in, if one did."""
    *above, last = path
    here: Any = data
    for step in above:
        here = here.get(step) if isinstance(here, dict) else None
    if isinstance(here, dict) and last in here:
        del here[last]
    elif above:
        return _leave_out(data, tuple(above))
    if above or last not in STAND_IN:
        return set()
    data[str(last)] = STAND_IN[str(last)]
    return {str(last)}


def explain(detail: Any, known: Sequence[str]) -> str:
    """Return one pydantic error as `rule, got value`; `known` are the keys allowed where it happened."""
    kind, context, got = detail["type"], detail.get("ctx", {}), shown(detail["input"])
    match kind:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return f"unknown key; have {', '.join(known)}{nearest(str(detail['loc'][-1]), known)}"
        case "value_error":
            return str(context["error"])
        case "literal_error":
            allowed = findall(r"'([^']*)'", context["expected"]) or [context["expected"]]
            hint = nearest(detail["input"], allowed) if isinstance(detail["input"], str) else ""
            return f"must be {' or '.join(allowed)}, got {got}{hint}"
        case "too_short":
            return f"needs at least {context['min_length']} item{'s' if context['min_length'] > 1 else ''}"
        case "too_long":
            return f"takes {context['max_length']} items, got {context['actual_length']}"
        case _ if kind in _MUST_BE:
            return f"must be {_MUST_BE[kind]}, got {got}"
        case _ if kind in _BOUND:
            return f"must be {_BOUND[kind]} {next(iter(context.values())):g}, got {got}"
    return f"{detail['msg'][:1].lower()}{detail['msg'][1:]}, got {got}"


_MUST_BE = {
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "finite_number": "a finite number",
}
_BOUND = {"greater_than": ">", "greater_than_equal": ">=", "less_than": "<", "less_than_equal": "<="}


def _problem(document: Document, detail: Any) -> Problem:
    path = _written(detail)
    unknown_key = detail["type"] == "extra_forbidden"
    variant = _variant(detail["input"])
    if _is_later(dotted(path), variant):
        what = path[-1] if unknown_key else f"{path[-1]}: {variant}"
        return document.problem(path, f"simcore {__version__} does not run `{what}` yet", at_key=unknown_key)
    known = keys_at(path[:-1]) if unknown_key else ()
    return document.problem(path, explain(detail, known), at_key=unknown_key)


def _written(detail: Any) -> Path:
    """Return where a pydantic error happened, as a path in the file."""
    return tuple(step for step in detail["loc"] if step != "[key]")


def _is_later(key: str, variant: str) -> bool:
    return any(fnmatchcase(key, later) or fnmatchcase(f"{key}.{variant}", later) for later in LATER)


def _variant(value: object) -> str:
    """Return the name of a variant: `swap`, or `period` of `{period: 2}`."""
    return str(next(iter(value), "")) if isinstance(value, dict) else str(value)


def keys_at(path: Path) -> Sequence[str]:
    """Return the keys the schema knows at a path that leads to a mapping."""
    here: Any = StudySpec
    for step in path:
        if isinstance(step, int):
            here = get_args(here)[0]
            continue
        spec = _spec_in(here)
        # Below `systems`, the step is the name of a system: it leads to the values of that mapping.
        here = spec.model_fields[str(step)].annotation if spec and step in spec.model_fields else get_args(here)[1]
    spec = _spec_in(here)
    return tuple(spec.model_fields) if spec else ()


def _spec_in(annotation: Any) -> type[Spec] | None:
    """Return the mapping an annotation stands for: itself, or the one inside an `Annotated` or an optional."""
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, Spec) else None
    if getattr(annotation, "__origin__", None) is dict:
        return None
    return next((spec for argument in get_args(annotation) if (spec := _spec_in(argument))), None)
