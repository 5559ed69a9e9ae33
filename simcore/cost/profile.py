"""Profile: the numbers of a fitted cost model in a file, with where they come from and how far they are off."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from simcore.cost.fit import FitError
from simcore.cost.fitted import TERMS, Fitted, Terms

SCHEMA = "simcore.profile/1"


def write_profile(path: Path, terms: Terms, error: FitError, provenance: Mapping[str, Any]) -> None:
    """Write a profile file (JSON)."""
    content = {
        "schema": SCHEMA,
        "terms_ps": asdict(terms),
        "held_out_error": error.as_dict(),
        "provenance": dict(provenance),
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


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
    if not isinstance(terms, dict) or set(terms) != set(TERMS):
        raise ValueError(f"{path}: terms_ps must have {', '.join(TERMS)}, got {terms!r}")
    try:
        described = {key: content[key] for key in ("held_out_error", "provenance") if key in content}
        return Fitted(Terms(**terms), described)
    except ValueError as error:
        raise ValueError(f"{path}: terms_ps: {error}") from None
