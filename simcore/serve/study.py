"""Study: one system of a study behind an HTTP server, from the first request to Ctrl-C."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.serve.keeping import keeping
from simcore.serve.tokenizers import Tokenizer, tokenizer_in
from simcore.study.backends import ClockName, Device, Name, choose
from simcore.study.cell import real_settings, settings_of
from simcore.study.document import Document
from simcore.study.errors import Problem, StudyError, unknown
from simcore.study.folder import prepare
from simcore.study.plan import Cell, Options, plan

if TYPE_CHECKING:
    from simcore.serve.app import Serves
    from simcore.simulator.served import Served
    from simcore.simulator.settings import Outcome, Sink

INSTALL = "pip install 'simcore[serve]'"
_WALL: ClockName = "wall"


@dataclass(frozen=True, slots=True)
class Ready:
    """A server that takes requests.

    url: where; model: its name; system: of the study; shut: ends it, from any thread.
    """

    url: str
    model: str
    system: str
    context_tokens: int
    shut: Callable[[], None]


def serve_study(
    document: Document,
    *,
    system: str | None = None,
    backend: Name = "sim",
    device: Device | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    tokenizer: Path | None = None,
    out: Path | None = None,
    plots: bool = False,
    command: Sequence[str] = (),
    ready: Callable[[Ready], None] = lambda _: None,
) -> "Outcome":
    """Serve one system of a study at its first point and seed until SIGINT or SIGTERM; its workload is what comes.

    Args:
        system: its name; None: the first.
        tokenizer: a folder with a tokenizer; None: that of the weights, or bytes.
        out: result folder; None: what happens is not kept.
        plots: draw the figures, and write the page.
        ready: called once the server listens.

    Raises StudyError for a study, an address or a folder that cannot be used.
    """
    _need_web()
    chosen = choose(backend, device, _WALL)
    resolved, cells = plan(document, Options(backend=chosen))
    if resolved.spec.rollout is not None:
        raise _wrong("rollout", "a server answers who asks; leave rollout out")
    cell = _cell(cells, system)
    if out is not None:
        prepare(out)
    with _listening(host, port) as listening, keeping(out, resolved, cell, plots, command) as (sink, finish):
        served, serves = _opened(cell, sink, tokenizer)
        outcome = _run(served, serves, cell, listening, ready)
        finish(outcome)
    return outcome


def _run(
    served: "Served", serves: "Serves", cell: Cell, listening: socket.socket, ready: Callable[[Ready], None]
) -> "Outcome":
    from simcore.serve.app import make_app
    from simcore.serve.gateway import Gateway
    from simcore.serve.server import HttpServer, url_of

    server = HttpServer(make_app(Gateway(served), serves), listening)
    server.start()
    try:
        with _ended_by_signals(served.shut):
            ready(Ready(url_of(listening), serves.model, cell.system, serves.context_tokens, served.shut))
            return served.run()
    finally:
        server.stop()


def _opened(cell: Cell, sink: "Sink", tokenizer: Path | None) -> "tuple[Served, Serves]":
    """Return the run, and what is served by it."""
    from simcore.serve.app import Serves
    from simcore.simulator.served_mock import ServedMock

    settings = settings_of(cell, lasts_s=0.0)
    # The token that ends a request is never attended to, so its KV is never written.
    room = cell.kv_blocks * settings.block_tokens + 1
    if cell.options.backend.name == "sim":
        reads = _tokenizer(tokenizer)
        return ServedMock(settings, sink, placeholder=reads.placeholder), Serves(cell.model.name, reads, room)
    from realbackend.run import Bench
    from realbackend.served import served_cluster

    bench = Bench(real_settings(cell))
    shape, weights = bench.decoder.shape, cell.spec.real.weights
    serves = Serves(
        model=weights,
        tokenizer=_tokenizer(tokenizer if tokenizer is not None else Path(weights)),
        context_tokens=min(room, shape.positions),
        vocabulary=shape.vocabulary,
        ends=frozenset(shape.eos),
        greedy=True,
    )
    return served_cluster(bench, settings, sink), serves


def _tokenizer(folder: Path | None) -> Tokenizer:
    try:
        return tokenizer_in(folder)
    except ValueError as error:
        raise _wrong("--tokenizer", str(error)) from None


def _cell(cells: Sequence[Cell], system: str | None) -> Cell:
    for cell in cells:
        if system in (None, cell.system):
            return cell
    names = list(dict.fromkeys(cell.system for cell in cells))
    raise _wrong("--system", unknown("system", system or "", names))


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    from simcore.serve.server import listen

    try:
        listening = listen(host, port)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise _wrong(f"--host {host} --port {port}", f"cannot be listened to: {why}") from None
    with listening:
        yield listening


@contextmanager
def _ended_by_signals(shut: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM shut the door; a second one ends the program as it always does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(each) for each in ours]

    def give_back() -> None:
        for each, handler in zip(ours, before, strict=True):
            signal.signal(each, handler)

    def heard(*_: Any) -> None:
        give_back()
        shut()

    for each in ours:
        signal.signal(each, heard)
    try:
        yield
    finally:
        give_back()


def _need_web() -> None:
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise _wrong("serve", f"needs {' and '.join(missing)}, not installed: {INSTALL}")


def _wrong(place: str, message: str) -> StudyError:
    return StudyError([Problem(place, "", message)])
