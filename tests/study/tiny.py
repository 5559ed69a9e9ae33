"""A tiny study, quick to run, and policies that behave as tests need it."""

from pathlib import Path

from simcore.study.api import Study
from simcore.study.errors import StudyError
from simcore.study.load import parse
from simcore.study.plan import Cell

TINY = """\
study: tiny
question: does it run?
model: llama-3.1-8b
hardware: h100
cluster: {instances: 2}
workload:
  arrivals: {kind: poisson}
  prompt_tokens: {kind: fixed, tokens: 100}
  output_tokens: {kind: uniform, min: 2, max: 20}
  rate: 20
  requests: 30
slo: {ttft_ms: 500, tpot_ms: 50}
systems:
  round_robin: {router: round_robin}
  two: {router: {policy: power_of_two, choices: 2}}
"""

POLICIES = '''\
"""Routers that misbehave, for tests."""

import os
import time
from pathlib import Path

from simcore.contract import Actions, Arrived, ClusterView, Dispatch, Router


class Slow(Router):
    """Sleeps, as no policy may, so that there is time to interrupt."""

    def on_arrived(self, view: ClusterView, fact: Arrived) -> Actions:
        time.sleep(0.02)
        return (Dispatch(fact.request, 0),)


class Fails(Router):
    """Fails at request 7."""

    def on_arrived(self, view: ClusterView, fact: Arrived) -> Actions:
        if fact.request == 7:
            raise RuntimeError("request 7")
        return (Dispatch(fact.request, 0),)


class Exits(Router):
    """Leaves in the politest way."""

    def on_arrived(self, view: ClusterView, fact: Arrived) -> Actions:
        raise SystemExit(3)


class Dies(Router):
    """Takes its whole process with it."""

    def on_arrived(self, view: ClusterView, fact: Arrived) -> Actions:
        os._exit(1)


class Counts(Router):
    """Leaves a mark in `folder` for each run."""

    def __init__(self, *, folder: str) -> None:
        (Path(folder) / f"{os.getpid()}-{time.time_ns()}").touch()

    def on_arrived(self, view: ClusterView, fact: Arrived) -> Actions:
        return (Dispatch(fact.request, 0),)
'''

SPECIAL = '''\
"""Policies with powers that a cluster must have, for tests."""

from simcore.contract import Actions, Arrived, Batch, ClusterView, Dispatch, LaneView, Migrate, Prefilled
from simcore.contract import Router, Scheduler, SetRole, SplitSMs


class HandsOn(Router):
    """Sends prompts to instance 0 and what it has prefilled to instance 1."""

    def on_arrived(self, view: ClusterView, fact: Arrived) -> Actions:
        return (Dispatch(fact.request, 0),)

    def on_prefilled(self, view: ClusterView, fact: Prefilled) -> Actions:
        return (Dispatch(fact.request, 1),)


class WholeBatch(Scheduler):
    """Builds empty batches."""

    def batch(self, view: LaneView) -> Batch:
        return Batch((), ())


class Splits(Scheduler):
    """May ask for other SM shares."""

    emits = Scheduler.emits | {SplitSMs}


class Migrates(HandsOn):
    """May move requests."""

    emits = Router.emits | {Migrate}


class SetsRoles(HandsOn):
    """May change what instances do."""

    emits = Router.emits | {SetRole}
'''


def write_study(folder: Path, text: str = TINY) -> Path:
    """Write a study and the policies beside it; return the study's path."""
    (folder / "odd.py").write_text(POLICIES)
    (folder / "special.py").write_text(SPECIAL)
    path = folder / "tiny.yaml"
    path.write_text(text)
    return path


def cells(text: str = TINY, folder: Path | None = None) -> list[Cell]:
    """Return the cells of a study written beside the policies in `folder`, or anywhere."""
    if folder is not None:
        write_study(folder, text)
    return Study(parse(text, "tiny.yaml", folder or Path())).plan()


def problems_of(text: str, folder: Path | None = None) -> list[str]:
    """Return the lines a user sees, or [] for a study that can run."""
    try:
        cells(text, folder)
    except StudyError as error:
        return str(error).splitlines()
    return []
