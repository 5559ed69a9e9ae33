"""Checks: what `simcore doctor` looks at, one file for each thing; none raises, each says what it found."""

from collections.abc import Iterator

from simcore.commands.checks.check import Check

__all__ = ["Check", "all_checks"]


def all_checks() -> Iterator[Check]:
    """Yield every check as it is done, the quick ones first."""
    from simcore.commands.checks.catalogue import catalogue
    from simcore.commands.checks.gpu import gpu
    from simcore.commands.checks.machine import machine
    from simcore.commands.checks.packages import optional_packages, required_packages
    from simcore.commands.checks.self_test import self_test

    yield from required_packages()
    yield from machine()
    graphics = gpu()
    yield graphics
    yield from optional_packages(has_gpu=graphics.state == "ok")
    yield catalogue()
    yield self_test()
