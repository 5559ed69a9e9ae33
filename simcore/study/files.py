"""Files: where the relative paths of a study lead."""

from pathlib import Path

from simcore.study.document import Document

SUFFIXES = (".json", ".yaml", ".yml", ".csv", ".jsonl", ".gz", ".zst", ".tar", ".npz")


def folders(document: Document) -> tuple[Path, Path]:
    """Return where relative files are looked for: beside the study, then where the command was given."""
    return document.folder, Path()


def locate(name: str, document: Document) -> Path | None:
    """Return the file or folder `name` leads to, or None."""
    for folder in folders(document):
        path = folder / Path(name).expanduser()
        if path.exists():
            return path.resolve()
    return None


def like_a_file(name: str) -> bool:
    """Return whether a name that nobody knows was meant as a file."""
    return "/" in name or name.endswith(SUFFIXES)
