"""Findings: what a slice has found, part by part, in a file that is complete after every part.

A run that was killed, or that ended because its time was up, is gone on with: parts that were found are not looked for
again, parts that failed or were skipped are.
"""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

SCHEMA = "simcore.gpu_checks/1"


class TimeIsUp(Exception):
    """The next part has to wait for the next run."""


class Skipped(Exception):
    """A part cannot be done here; the message says why."""


class Findings:
    """The file of one slice.

    Args:
        environment: findings of another one are forgotten.
        budget_s: no part is begun later.
        again: forget what was found before.
    """

    def __init__(self, path: Path, environment: Mapping[str, Any], *, budget_s: float, again: bool = False) -> None:
        self.path = path
        self.complete = False
        self._environment = dict(environment)
        self._ends = time.monotonic() + budget_s
        self._parts: dict[str, Any] = {} if again else self._kept()

    def part(self, name: str, find: Callable[[], Any]) -> Any:
        """Return what `find` finds, which JSON can hold; or what it found in an earlier run.

        Returns None if it fails or raises `Skipped`; the file says why. Raises TimeIsUp.
        """
        if "found" in self._parts.get(name, {}):
            return self._parts[name]["found"]
        if time.monotonic() > self._ends:
            raise TimeIsUp(name)
        begin = time.monotonic()
        try:
            outcome = {"found": find()}
        except Skipped as reason:
            outcome = {"skipped": str(reason)}
        except Exception as error:  # whatever it is, the other parts can still be found
            outcome = {"failed": f"{type(error).__name__}: {error}"}
        self._parts[name] = {**outcome, "took_s": round(time.monotonic() - begin, 1)}
        self._save()
        print(f"  {name}: {_line(outcome)}", flush=True)
        return outcome.get("found")

    @property
    def failed(self) -> list[str]:
        """Parts that failed."""
        return [name for name, part in self._parts.items() if "failed" in part]

    @property
    def summary(self) -> str:
        """How it stands, in words."""
        counts = {
            state: sum(state in part for part in self._parts.values()) for state in ("found", "skipped", "failed")
        }
        told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        return (told or "nothing") + ("" if self.complete else ", time is up: run it again for the rest")

    def __enter__(self) -> "Findings":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        self.complete = kind is None
        self._save()
        return kind is TimeIsUp

    def _kept(self) -> dict[str, Any]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        same = content.get("schema") == SCHEMA and content.get("environment") == self._environment
        parts: dict[str, Any] = content["parts"] if same else {}
        return parts

    def _save(self) -> None:
        content = {
            "schema": SCHEMA,
            "environment": self._environment,
            "complete": self.complete,
            "parts": self._parts,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".tmp")
        beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        beside.replace(self.path)


def _line(outcome: Mapping[str, Any]) -> str:
    """Return an outcome in one line."""
    ((state, what),) = outcome.items()
    if state != "found":
        return f"{state}: {what}"
    if isinstance(what, dict):
        what = ", ".join(f"{key} {value}" for key, value in what.items() if not isinstance(value, dict | list))
    return str(what)
