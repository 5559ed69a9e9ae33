"""Opening: from what a user wrote, a catalogue name, a file or a folder, to a workload."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from traces import formats
from traces.catalogue import catalogue_names, catalogued
from traces.filled import filled
from traces.opened import Opened
from traces.parameters import Parameters, raise_if_any
from traces.problems import TraceError
from traces.reading import Reading, reading
from traces.survey import survey

ORDERS = ("file", "shuffled")
_OF_FILES = ("format", "time_unit", "columns", "block_tokens")
_OF_TABLES = ("time_unit", "columns", "block_tokens", "output_tokens")
_DRAWN = ("arrivals", "prompt_tokens", "output_tokens")
_WINDOW = ("from_s", "for_s")


def open_trace(
    trace: str | Path,
    *,
    format: str | None = None,
    time_unit: str | None = None,
    columns: Mapping[str, object] | None = None,
    bad_rows: str = "stop",
    block_tokens: int | None = None,
    arrivals: Mapping[str, object] | None = None,
    prompt_tokens: Mapping[str, object] | None = None,
    output_tokens: Mapping[str, object] | None = None,
    order: str = "file",
    from_s: float | None = None,
    for_s: float | None = None,
    rate: float | None = None,
    requests: int | None = None,
    seed: int = 0,
    replication: int = 0,
    base: Path = Path("."),
) -> Opened:
    """Return the workload of a catalogue name (generated), of a file, or of a ServeGen folder or tar (generated).

    format: of a file, found from its first line if None. columns: which columns of any CSV or JSON lines say what.
    time_unit: "s", "ms", "us" or "ns", of times that are plain numbers; the format's own if None, and then a mean rate
    that cannot be true is an error. block_tokens: of the prompt, that one hash id of the file names.
    bad_rows: "stop", an error, or "skip", left out and counted (`skipped` of the workload).
    arrivals, prompt_tokens, output_tokens: what a table lacks is drawn from these, as in `synthetic`; arrivals are
    those of conversations, where the file has no start times. order: "file", or "shuffled", of a table without times.
    rate: mean arrival rate per second to scale to, of requests, of programs where those are drawn; None: as it is.
    requests: how many; of a file the first ones (their mean rate is what is scaled), all if None.
    from_s, for_s: the window of a ServeGen recording. seed, replication: choose the draws; a replay has none.
    base: what a relative path is relative to.

    Raises TraceError (a file that cannot be used) or ParameterError; both are ValueError and list all problems.
    """
    problems: list[str] = []
    given: dict[str, Any] = {
        "format": format,
        "time_unit": time_unit,
        "columns": columns,
        "block_tokens": block_tokens,
        "bad_rows": bad_rows,
        "arrivals": arrivals,
        "prompt_tokens": prompt_tokens,
        "output_tokens": output_tokens,
        "order": order,
        "from_s": from_s,
        "for_s": for_s,
        "rate": rate,
        "requests": requests,
        "seed": seed,
        "replication": replication,
    }
    _check_numbers(given, problems)
    how = Reading()
    if not _of_conversations(format):
        how = _reading(given, problems)
    name = str(trace)
    path = base / trace
    if name not in catalogue_names() and not os.path.exists(path):
        problems.append(_unknown(name, path))
    if name in catalogue_names():
        _refuse(given, (*_OF_FILES, *_WINDOW), f"is for files, but {name} is in the catalogue; for a file of that "
                f"name write ./{name}", problems)  # fmt: skip
        _refuse(given, _DRAWN, "a trace brings its own; leave one of the two out", problems)
    raise_if_any(problems)

    if name in catalogue_names():
        return catalogued(name, **_only(given, "rate", "requests", "seed", "replication"))
    if _is_clients(path):
        return _clients(path, given)
    if path.is_dir():
        raise TraceError([f"{path}:1:1: {_no_clients(path)}"])
    if how.format is None and (_of_conversations(format) or _looks_like_conversations(path)):
        return _conversations(path, given)
    _refuse(given, _WINDOW, f"is for ServeGen recordings, but {path.name} is a file of requests", problems)
    raise_if_any(problems)
    return _table(path, how, given)


def check(
    path: str | Path,
    format: str | None = None,
    limit: int | None = None,
    time_unit: str | None = None,
    *,
    columns: Mapping[str, object] | None = None,
    block_tokens: int | None = None,
) -> list[str]:
    """Return what is wrong with the first `limit` rows (default all) of a table, `file:line:col: message` each.

    The rest is as for `open_trace`. Raises ParameterError if one of these is not a known one.
    """
    problems: list[str] = []
    given = {"format": format, "time_unit": time_unit, "columns": columns, "block_tokens": block_tokens}
    how = _reading({**given, "bad_rows": "stop"}, problems)
    raise_if_any(problems)
    try:
        survey(Path(path), how.of_rows(limit))
    except TraceError as error:
        return error.problems
    return []


def _table(path: Path, how: Reading, given: Mapping[str, Any]) -> Opened:
    """Return the workload of a file in which a row is a request."""
    wanted, shuffled = given["requests"], given["order"] == "shuffled"
    found = survey(path, how if shuffled else how.of_rows(wanted))
    if wanted is not None and wanted > found.requests and not shuffled:
        advice = "; order: shuffled goes through them again" if found.fields.arrival is None else ""
        rule = f"must be at most {found.requests:,}, the rows of {path}, got {wanted:,}"
        raise_if_any([f"requests: {rule}{advice}"])
    drawing = _only(given, *_DRAWN, "order", "rate", "seed", "replication")
    return filled(found, **drawing, requests=found.requests if wanted is None else wanted)


def _conversations(path: Path, given: Mapping[str, Any]) -> Opened:
    from traces.conversations import open_conversations

    problems: list[str] = []
    _refuse(given, (*_OF_TABLES, *_WINDOW), f"is not for conversations, which {path.name} holds", problems)
    raise_if_any(problems)
    drawn = _only(given, "arrivals", "prompt_tokens", "rate", "requests", "order", "seed", "replication")
    return open_conversations(path, given["format"], bad_rows=given["bad_rows"], **drawn)


def _clients(path: Path, given: Mapping[str, Any]) -> Opened:
    from traces.clients import open_clients

    problems: list[str] = []
    _refuse(given, (*_OF_FILES, *_DRAWN), f"is not for ServeGen recordings, as {path.name} is one", problems)
    raise_if_any(problems)
    return open_clients(path, **_only(given, "rate", "requests", "from_s", "for_s", "seed", "replication"))


def _reading(given: Mapping[str, Any], problems: list[str]) -> Reading:
    return reading(**_only(given, *_OF_FILES, "bad_rows"), problems=problems)


def _check_numbers(given: Mapping[str, Any], problems: list[str]) -> None:
    parameters = Parameters("", given, problems)
    if given["rate"] is not None:
        parameters.positive("rate")
    if given["requests"] is not None:
        parameters.integer("requests", least=1)
    parameters.integer("seed", least=0)
    parameters.integer("replication", least=0)
    parameters.choice("order", ORDERS)


def _refuse(given: Mapping[str, Any], keys: tuple[str, ...], why: str, problems: list[str]) -> None:
    problems += [f"{key}: {why}" for key in keys if given[key] is not None]


def _only(given: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: given[key] for key in keys}


def _of_conversations(format: str | None) -> bool:
    """Return whether a format is one of those in which a row is a part of a conversation."""
    if format is None or format in formats.FORMATS:
        return False
    from traces.conversations import FORMATS

    return format in FORMATS


def _looks_like_conversations(path: Path) -> bool:
    from traces.conversations import format_of

    return format_of(path) is not None


def _is_clients(path: Path) -> bool:
    from traces.clients import is_clients

    return is_clients(path)


def _no_clients(folder: Path) -> str:
    from traces.clients import folders_within

    found = folders_within(folder)
    hint = f" (did you mean {found[0]}?)" if found else ""
    return f"a folder must hold ServeGen's chunk-<i>-trace.csv and chunk-<i>-dataset.json, this one has none{hint}"


def _unknown(name: str, path: Path) -> str:
    files = sorted(file.name for file in path.parent.iterdir()) if path.parent.is_dir() else []
    near = get_close_matches(name, catalogue_names(), n=1) or get_close_matches(path.name, files, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"trace: no file {path}, and the catalogue has only {', '.join(catalogue_names())}; got {name!r}{hint}"
