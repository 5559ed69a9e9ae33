"""Public traces: what their registry says, and downloads from a server that breaks in every way one can."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

import pytest

from tests.traces.written import SHARED
from traces import TraceError
from traces.files import open_text
from traces.public import PublicTrace, download, is_there, named, path_of, public_traces

DATA = b"TIMESTAMP,ContextTokens,GeneratedTokens\n0,1,1\n" * 100


class Server(BaseHTTPRequestHandler):
    """Serves `DATA` in ways named by the path; counts what it was asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        match self.path:
            case "/good.csv" | "/other.csv":
                body = DATA if self.path == "/good.csv" else DATA[:-1] + b"\r"
                self._answer(200, len(body))
                self.wfile.write(body)
            case "/moved.csv":
                self.send_response(302)
                self.send_header("Location", "/good.csv")
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "/short.csv":
                self._answer(200, len(DATA))
                self.wfile.write(DATA[: len(DATA) // 2])
                self.close_connection = True
            case "/second.csv":
                self._answer(200, len(DATA))
                self.wfile.write(DATA if self.asked.count(self.path) > 1 else DATA[:10])
                self.close_connection = True
            case "/slow.csv":
                self._answer(200, len(DATA))
                self.wfile.flush()
                threading.Event().wait(1.0)
            case _:
                self.send_error(404)

    def _answer(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def server():
    handler = type("Counting", (Server,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield http
        http.shutdown()


def published(http: ThreadingHTTPServer, path: str) -> PublicTrace:
    return PublicTrace(
        "a trace", "trace.csv", f"http://127.0.0.1:{http.server_port}{path}", hashlib.sha256(DATA).hexdigest(),
        "the file", "CC0", "nobody", len(DATA),
    )  # fmt: skip


def asked(http: ThreadingHTTPServer) -> list[str]:
    return cast(type[Server], http.RequestHandlerClass).asked


@pytest.mark.parametrize("path", ["/good.csv", "/moved.csv", "/second.csv"])
def test_the_published_bytes_arrive_also_by_a_redirect_and_at_the_second_attempt(tmp_path, server, path):
    got = download(published(server, path), tmp_path)
    assert (got, got.read_bytes()) == (tmp_path / "trace.csv", DATA)
    assert [file.name for file in tmp_path.iterdir()] == ["trace.csv"]


def test_a_file_that_is_there_is_not_fetched_again(tmp_path, server):
    trace = published(server, "/good.csv")
    download(trace, tmp_path)
    download(trace, tmp_path)
    assert asked(server) == ["/good.csv"]
    assert is_there(trace, tmp_path)


def test_a_transfer_that_breaks_off_leaves_nothing(tmp_path, server):
    with pytest.raises(TraceError, match=r"/short\.csv: no download after 3 attempts: IncompleteRead"):
        download(published(server, "/short.csv"), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert asked(server) == ["/short.csv"] * 3


def test_a_server_that_falls_silent_is_given_up(tmp_path, server):
    with pytest.raises(TraceError, match=r"/slow\.csv: no download after 3 attempts: .*timed out"):
        download(published(server, "/slow.csv"), tmp_path, timeout_s=0.05)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_is_asked_for_once(tmp_path, server):
    with pytest.raises(TraceError, match=r"http://127\.0\.0\.1:\d+/none\.csv: 404 Client Error: Not Found"):
        download(published(server, "/none.csv"), tmp_path)
    assert asked(server) == ["/none.csv"]
    assert list(tmp_path.iterdir()) == []


def test_other_bytes_are_removed_and_both_hashes_said(tmp_path, server):
    other = hashlib.sha256(DATA[:-1] + b"\r").hexdigest()
    right = hashlib.sha256(DATA).hexdigest()
    with pytest.raises(TraceError, match=f"expected sha256 {right} of 4,600 bytes, got {other} of 4,600 bytes"):
        download(published(server, "/other.csv"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_network_is_said_with_address_and_cause(tmp_path, server):
    trace = published(server, "/good.csv")
    server.server_close()
    with pytest.raises(TraceError, match=rf"{trace.url}: no download after 3 attempts: .*refused"):
        download(trace, tmp_path)


def test_a_file_of_ones_own_under_that_name_is_kept_unless_forced(tmp_path, server):
    (tmp_path / "trace.csv").write_text("mine")
    trace = published(server, "/good.csv")
    with pytest.raises(TraceError, match=r"trace\.csv: exists and holds other bytes .*--force"):
        download(trace, tmp_path)
    assert (tmp_path / "trace.csv").read_text() == "mine"
    download(trace, tmp_path, overwrite=True)
    assert (tmp_path / "trace.csv").read_bytes() == DATA


def test_a_folder_that_is_not_there_is_said(tmp_path, server):
    with pytest.raises(TraceError, match="there is no folder"):
        download(published(server, "/good.csv"), tmp_path / "none")


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(TraceError, match=r"unknown public trace 'azure_conv'; have .*did you mean 'azure_conv_2023'"):
        named("azure_conv")


@pytest.mark.parametrize("name", public_traces())
def test_every_entry_says_where_from_how_known_and_how_to_cite(name):
    trace = named(name)
    assert trace.url.startswith("https://")
    assert trace.url.endswith(trace.file)
    assert len(bytes.fromhex(trace.sha256)) == 32
    assert all((trace.what, trace.hash_from, trace.license, trace.cite))


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("azure_code_2023", "azure"),
        ("azure_conv_2023", "azure"),
        ("mooncake_synthetic", "mooncake"),
        ("vidur_arxiv", "vidur"),
        ("lmsys_vicuna_outputs", "lmsys"),
        ("tracelab_example", "tracelab"),
    ],
)
def test_hashes_taken_from_published_files_are_theirs(name, folder):
    trace = named(name)
    kept = next((each for each in (SHARED / folder).glob(f"{trace.file}*")), None)
    if kept is None:
        pytest.skip(f"{trace.file} is not beside the checkout")
    with open_text(kept) as text:
        content = text.buffer.read()
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (trace.sha256, trace.bytes)


def test_a_trace_is_kept_under_its_published_name():
    assert path_of(named("azure_conv_2023"), Path("data")) == Path("data/AzureLLMInferenceTrace_conv.csv")
