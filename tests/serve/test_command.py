"""Commands: `simcore serve` from its first line to its results, and what is refused before it listens."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simcore.cli import app
from tests.serve.site import aiohttp  # noqa: F401  # skips where the web stack is not installed
from tests.study.tiny import TINY

ROOT = Path(__file__).parents[2]


@pytest.fixture
def study(tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(TINY)
    return str(file)


def call(*arguments):
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize("ended_by", [signal.SIGTERM])
def test_a_study_is_served_until_it_is_told_to_stop_and_leaves_results(study, tmp_path, ended_by):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "simcore", "serve", study, "--port", "0", "--out", str(out), "--no-plots"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        try:
            says = server.stdout.readline()
            assert says.startswith("llama-3.1-8b (round_robin) at http://127.0.0.1:")
            url = says.split(" at ")[1].split("/v1")[0]
            done = call("agents", url, study, "--set", "workload.requests=10", "--out", str(tmp_path / "mine.json"))
            assert done.exit_code == 0, done.output
        finally:
            server.send_signal(ended_by)
        assert server.stdout.read() == f"10 requests, 10 finished, 0 cancelled; {out}\n"
        assert server.wait(30) == 0
    (run,) = json.loads((out / "summary.json").read_text())["runs"]
    mine = json.loads((tmp_path / "mine.json").read_text())
    assert (run["system"], run["metrics"]["completed"]) == ("round_robin", 10)
    assert run["metrics"]["total_output_tokens"] == mine["total_output_tokens"]
    assert (out / "requests.parquet").is_file()
    assert list(out.glob("vllm/*.json"))


def test_what_cannot_be_served_is_said_in_a_line(study):
    taken = socket.create_server(("127.0.0.1", 0))
    with taken:
        port = str(taken.getsockname()[1])
        for arguments, says in [
            (["serve"], "name a study, or a model by --model"),
            (["serve", study, "--model", "llama-3.1-8b"], "name a study, or a model by --model"),
            (["serve", study, "--system", "tow"], "--system: unknown system 'tow'; have round_robin, two"),
            (["serve", study, "--port", port], "cannot be listened to: Address already in use"),
            (["serve", study, "--set", "cluster.instances=0"], "cluster.instances"),
            (["serve", "--model", "llama-3.1"], "--model: model: unknown model 'llama-3.1'"),
            (["agents", "http://127.0.0.1:9", study], "http://127.0.0.1:9/v1/models: ClientConnectorError"),
        ]:
            done = call(*arguments)
            assert done.exit_code == 2, done.output
            assert says in done.output
            assert "Traceback" not in done.output
