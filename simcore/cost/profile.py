"""Profile: the numbers of a fitted cost model in a file, with where they come from and how far they are off."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simcore.cost.fit_error import FitError
from simcore.cost.fitted import COUNTED, Fitted, Terms

SCHEMA = "simcore.profile/1"
_TERMS = ("tokens", *COUNTED)
_BESIDE = ("held_out_error", "provenance")


def write_profile(path: Path, terms: Terms, error: FitError, provenance: Mapping[str, Any]) -> None:
    """Write a profile file (JSON). Raises OSError."""
    content = {
        "schema": SCHEMA,
        "terms_ps": {name: getattr(terms, name) for name in _TERMS},
        "held_out_error": error.as_dict(),
        "provenance": dict(provenance),
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_profile(path: Path) -> Fitted:
    """Return the cost model in a profile file. Raises ValueError with place and rule."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ValueError(f"{path}: not JSON: {error}") from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        found = content.get("schema") if isinstance(content, dict) else None
        raise ValueError(f"{path}: schema must be {SCHEMA!r}, got {found!r}")
    terms = content.get("terms_ps")
    if not isinstance(terms, dict) or set(terms) != set(_TERMS):
        raise ValueError(f"{path}: terms_ps must have {', '.join(_TERMS)}, got {terms!r}")
    try:
        found = Terms(_points(terms["tokens"]), **{name: terms[name] for name in COUNTED})
    except ValueError as error:
        raise ValueError(f"{path}: terms_ps: {error}") from None
    return Fitted(found, {key: content[key] for key in _BESIDE if key in content})


def _points(tokens: Any) -> tuple[tuple[int, int], ...]:
    pairs = isinstance(tokens, list) and all(isinstance(point, list) and len(point) == 2 for point in tokens)
    if not pairs:
        raise ValueError(f"tokens must be a list of [tokens, picoseconds], got {tokens!r}")
    return tuple((count, took_ps) for count, took_ps in tokens)
