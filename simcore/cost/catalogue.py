"""Catalogue: the models and GPUs that ship with simcore, by name; anything else by path."""

from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Literal

Kind = Literal["model", "hardware"]

_FOLDER = {"model": "models", "hardware": "hardware"}
_SUFFIXES = {"model": (".json",), "hardware": (".yaml", ".yml")}


def names(kind: Kind) -> tuple[str, ...]:
    """Return the names that ship with simcore, sorted."""
    folder = files("simcore") / "data" / _FOLDER[kind]
    return tuple(sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(_SUFFIXES[kind])))


def read(kind: Kind, name_or_path: str) -> tuple[str, str, str]:
    """Return (name, where it was read, text) of a shipped file by its name, or of any file by its path.

    A folder stands for the `config.json` in it. Raises ValueError for an unknown name or an unreadable file.
    """
    if name_or_path in names(kind):
        where = f"{_FOLDER[kind]}/{name_or_path}{_SUFFIXES[kind][0]}"
        return name_or_path, where, (files("simcore") / "data" / where).read_text("utf-8")
    path = Path(name_or_path)
    if path.is_dir() and kind == "model":
        path = path / "config.json"
    if path.suffix not in _SUFFIXES[kind] and not path.is_file():
        raise ValueError(_unknown(kind, name_or_path))
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{kind} {name_or_path!r} must be a readable text file, got {error}") from None
    # Every model on the Hugging Face hub calls its file config.json: the folder is the name.
    return (path.resolve().parent.name if path.stem == "config" else path.stem), str(path), text


def _unknown(kind: Kind, name: str) -> str:
    known = names(kind)
    near = get_close_matches(name.lower(), known, n=1, cutoff=0.4)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"unknown {kind} {name!r}{hint}; have {', '.join(known)}, or the path of a {_SUFFIXES[kind][0]} file"
