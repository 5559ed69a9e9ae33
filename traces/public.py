"""Public: published traces by name, downloaded from where they were published and checked to be those very bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from traces.files import sha256
from traces.problems import TraceError
from traces.saving import part_of

REGISTRY = Path(__file__).with_name("public.yaml")

_ATTEMPTS = 3
_TIMEOUT_S = 30
_CHUNK_BYTES = 1 << 18


@dataclass(frozen=True)
class PublicTrace:
    """A published file. `sha256`: of its bytes, known as `hash_from` says; `bytes`: how many, if known."""

    what: str
    file: str
    url: str
    sha256: str
    hash_from: str
    license: str
    cite: str
    bytes: int | None = None


@cache
def public_traces(registry: Path = REGISTRY) -> Mapping[str, PublicTrace]:
    """Return the published traces by name, in the order of the registry."""
    from ruamel.yaml import YAML

    return {name: PublicTrace(**entry) for name, entry in YAML(typ="safe").load(registry).items()}


def named(name: str, registry: Path = REGISTRY) -> PublicTrace:
    """Return the published trace of that name. Raises TraceError, which lists the known ones."""
    known = public_traces(registry)
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise TraceError([f"unknown public trace {name!r}; have {', '.join(known)}{hint}"])
    return known[name]


def path_of(trace: PublicTrace, folder: Path) -> Path:
    """Return where a trace is kept in a folder: under its published name."""
    return folder / trace.file


def is_there(trace: PublicTrace, folder: Path) -> bool:
    """Return whether the folder holds the published bytes already."""
    path = path_of(trace, folder)
    return path.is_file() and sha256(path) == trace.sha256


def download(trace: PublicTrace, folder: Path, *, overwrite: bool = False, timeout_s: float = _TIMEOUT_S) -> Path:
    """Return the path of a trace in `folder`, downloaded unless the published bytes are there already.

    A connection that breaks is tried three times. Under its name the file stands only when its checksum was right.
    Raises TraceError: no connection, not found, other bytes than were published, a file that may not be written.
    """
    path = path_of(trace, folder)
    if is_there(trace, folder):
        return path
    if path.is_file() and not overwrite:
        raise TraceError(
            [f"{path}: exists and holds other bytes (sha256 {sha256(path)}) than {trace.url}; --force writes over it"]
        )
    with part_of(path, overwrite=overwrite) as part:
        _fetch(trace.url, part, timeout_s)
        got = sha256(part)
        if got != trace.sha256:
            size = part.stat().st_size
            expected = f" of {trace.bytes:,} bytes" if trace.bytes is not None else ""
            raise TraceError(
                [
                    f"{trace.url}: not the published file: expected sha256 {trace.sha256}{expected}, "
                    f"got {got} of {size:,} bytes; it was removed"
                ]
            )
    return path


def _fetch(url: str, part: Path, timeout_s: float) -> None:
    """Download into a file; TraceError says why it did not work."""
    import pooch
    from requests.exceptions import ChunkedEncodingError, ConnectionError, HTTPError, RequestException, Timeout

    fetch = pooch.HTTPDownloader(chunk_size=_CHUNK_BYTES, timeout=timeout_s)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            fetch(url, str(part), None)
            return
        except HTTPError as error:
            raise TraceError([f"{url}: {error.args[0].partition(' for url')[0]}"]) from error
        except (ChunkedEncodingError, ConnectionError, Timeout) as error:
            if attempt == _ATTEMPTS:
                raise TraceError([f"{url}: no download after {_ATTEMPTS} attempts: {_cause(error)}"]) from error
        except RequestException as error:
            raise TraceError([f"{url}: no download: {_cause(error)}"]) from error


def _cause(error: BaseException) -> str:
    """Return what lies at the bottom of a failed request, in its own words."""
    reason = error
    while True:
        inner = getattr(reason, "reason", None) or next((a for a in reason.args if isinstance(a, BaseException)), None)
        if not isinstance(inner, BaseException):
            break
        reason = inner
    return f"{type(reason).__name__}: {str(reason).rpartition('>: ')[2]}"
