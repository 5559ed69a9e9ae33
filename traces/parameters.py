"""Parameters: the keys a user gave, taken one by one; everything wrong with them is said at once."""

import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeGuard


class ParameterError(ValueError):
    """Parameters cannot be used. `problems` says why, one `key.path: rule, got value` each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class Parameters:
    """The mapping at `where` ("arrivals"). Each getter notes a problem and returns a stand-in if the value is wrong.

    Objects built from stand-ins are never used: `problems` is raised first.
    """

    def __init__(self, where: str, given: object, problems: list[str], *, shape: str = "a mapping") -> None:
        self.where = where
        self.problems = problems
        self._taken: set[str] = set()
        self._given: Mapping[str, object] = {}
        if isinstance(given, Mapping):
            self._given = given
        else:
            self._wrong("", shape, given)

    def add(self, key: str, problem: str) -> None:
        self.problems.append(f"{self.where}{'.' if key and self.where else ''}{key}: {problem}")

    def has(self, key: str) -> bool:
        """Whether an optional key was given."""
        return self._take(key) is not None

    def raw(self, key: str) -> object:
        """Return what was given, for somebody else to judge; None if nothing was."""
        return self._take(key)

    def number(
        self, key: str, *, least: float = -math.inf, most: float = math.inf, default: float | None = None
    ) -> float:
        """Return a finite number from `least` to `most`."""
        value = self._take(key)
        if value is None and default is not None:
            return default
        if _is_number(value) and least <= value <= most:
            return float(value)
        self._wrong(key, "a number" + _range(least, most), value)
        return 1.0

    def positive(self, key: str, *, most: float = math.inf) -> float:
        """Return a finite number > 0, at most `most`."""
        value = self._take(key)
        if _is_number(value) and 0 < value <= most:
            return float(value)
        self._wrong(key, "a number > 0" + (f" and at most {most:g}" if most < math.inf else ""), value)
        return 1.0

    def integer(self, key: str, *, least: int, most: float = math.inf, default: int | None = None) -> int:
        """Return a whole number from `least` to `most`."""
        value = self._take(key)
        if value is None and default is not None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self._wrong(key, "a whole number" + _range(least, most), value)
        return least

    def numbers(self, key: str, *, least: float = -math.inf) -> tuple[float, ...]:
        """Return a list of finite numbers, none below `least`."""
        value = self._take(key)
        rule = "a list of numbers" + _range(least, math.inf)
        if isinstance(value, list | tuple) and value:
            wrong = [item for item in value if not (_is_number(item) and item >= least)]
            if not wrong:
                return tuple(float(item) for item in value)
            self.add(key, f"must be {rule}, got {wrong[0]!r} in it")
        else:
            self._wrong(key, rule, value)
        return ()

    def choice(self, key: str, known: Iterable[str]) -> str | None:
        """Return one of the `known` names, or None."""
        names = list(known)
        value = self._take(key)
        if value in names:
            return str(value)
        near = get_close_matches(str(value), names, n=1)
        self._wrong(key, f"one of {', '.join(names)}", value, f" (did you mean {near[0]!r}?)" if near else "")
        return None

    def finish(self) -> None:
        """Note the keys that nobody took."""
        for key in self._given:
            if key not in self._taken:
                near = get_close_matches(str(key), self._taken, n=1)
                hint = f" (did you mean {near[0]!r}?)" if near else f"; have {', '.join(sorted(self._taken))}"
                self.add(str(key), f"unknown key{hint}")

    def _take(self, key: str) -> object:
        self._taken.add(key)
        return self._given.get(key)

    def _wrong(self, key: str, rule: str, value: object, hint: str = "") -> None:
        got = "nothing" if value is None else repr(value)
        self.add(key, f"must be {rule}, got {got}{hint}")


def raise_if_any(problems: list[str]) -> None:
    """Raise ParameterError with the problems, if there are any."""
    if problems:
        raise ParameterError(problems)


def _range(least: float, most: float) -> str:
    if most < math.inf:
        return f" between {least:g} and {most:g}"
    return f" >= {least:g}" if least > -math.inf else ""


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
