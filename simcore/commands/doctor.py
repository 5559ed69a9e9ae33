"""Doctor: the command `simcore doctor`, which says what works on this machine and what would mend the rest."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from simcore.commands.checks import Check

_MARKS = {"ok": "ok", "absent": "-", "problem": "PROBLEM"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Check this installation. Exit 0: simulation works; 1: it does not, and why is said."""
    from simcore.commands.checks import all_checks

    checks = list(all_checks()) if as_json else list(_told(all_checks()))
    works = all(check.state != "problem" for check in checks)
    if as_json:
        import json
        from dataclasses import asdict

        from simcore import __version__

        content = {"simcore": __version__, "works": works, "checks": [asdict(check) for check in checks]}
        print(json.dumps(content, indent=1))
    else:
        print("\nSimulation works." if works else "\nSimulation does not work: mend what is marked PROBLEM.")
    raise typer.Exit(0 if works else 1)


def _told(checks: "Iterable[Check]") -> "Iterable[Check]":
    """Yield checks, each printed as soon as it is done."""
    for check in checks:
        print(f"{_MARKS[check.state]:<8} {check.name:<10} {check.says}")
        if check.fix:
            print(f"{'':<19} {check.fix}")
        yield check
