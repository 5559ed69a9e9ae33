"""Load: the text of a YAML 1.2 file as a document, each value with the line and column it was written at."""

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from simcore.study.document import Document
from simcore.study.errors import Path, Problem, StudyError, dotted, nearest, shown

REPEATED = "key is written twice"


def read(path: FilePath | str) -> Document:
    """Read a study file. Raises StudyError if it cannot be read, is not YAML, or is not a mapping."""
    file = FilePath(path)
    return parse(_text(file, str(path)), str(path), file.parent)


def parse(text: str, name: str, folder: FilePath) -> Document:
    """Return the document in `text`, called `name` in messages; see `read`.

    What does not stop the reading, such as a key written twice, is noted in `Document.problems`.
    """
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    reader = _Reader(name)
    try:
        loaded = _load(text)
    except DuplicateKeyError:
        for mark, path in _repeated(_yaml().compose(text), (), ()):
            reader.problems.append(Problem(reader.place(mark), dotted(path), REPEATED))
        loaded = _load(text, allow_duplicate_keys=True)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = reader.place((mark.line, mark.column)) if mark else name
        why = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise StudyError([Problem(place, "", f"not valid YAML: {why}")]) from None
    except YAMLError as error:
        raise StudyError([Problem(name, "", f"not valid YAML: {str(error).splitlines()[0]}")]) from None
    start = reader.place((0, 0))
    if loaded is None:
        raise StudyError([Problem(start, "", "the file is empty; a study is a mapping of keys")])
    if not isinstance(loaded, dict):
        raise StudyError([Problem(start, "", f"a study is a mapping of keys, got {shown(loaded)}")])
    reader.keys[()] = start
    data = reader.plain(loaded, ())
    return Document(name, folder, data, reader.keys, problems=tuple(reader.problems))


def parse_value(text: str) -> Any:
    """Return one YAML value, as given to `--set`. Raises ValueError if it is none.

    >>> parse_value("1e-3"), parse_value("[1, 2]"), parse_value("h100"), parse_value("")
    (0.001, [1, 2], 'h100', None)
    """
    from ruamel.yaml.error import YAMLError

    reader = _Reader("")
    try:
        value = reader.plain(_load(text), ())
    except YAMLError as error:
        raise ValueError(f"not valid YAML: {getattr(error, 'problem', None) or error}") from None
    if reader.problems:
        raise ValueError(reader.problems[0].message)
    return value


class _Reader:
    """Turns what ruamel.yaml loaded into builtin types, and notes where each part is written."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.keys: dict[Path, str] = {}
        self.problems: list[Problem] = []

    def place(self, mark: tuple[int, ...]) -> str:
        return f"{self.name}:{mark[0] + 1}:{mark[1] + 1}"

    def plain(self, value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {str(key): self.item(value, key, item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [self.item(value, index, item, (*path, index)) for index, item in enumerate(value)]
        if value is None or isinstance(value, bool):
            return value
        if type(value).__name__ == "ScalarBoolean":
            return bool(value)
        for kind in (int, float, str):
            if isinstance(value, kind):
                return kind(value)
        self.wrong(path, f"a {type(value).__name__} has no meaning in a study; quote it if it is text")
        return None

    def item(self, holder: Any, key: object, item: Any, path: Path) -> Any:
        """Note where an item of a mapping or list is written, and return its value."""
        mark = holder.lc.data.get(key)
        # A key that came in through a YAML merge has no place of its own.
        self.keys[path] = self.place(mark) if mark else self.keys.get(path[:-1], self.name)
        if isinstance(holder, dict) and not isinstance(key, str):
            self.wrong(path, f"keys must be text, got {shown(key)}")
        return self.plain(item, path)

    def wrong(self, path: Path, message: str) -> None:
        self.problems.append(Problem(self.keys.get(path, self.name), dotted(path), message))


def _text(file: FilePath, name: str) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        siblings = sorted(str(near) for near in file.parent.glob("*.y*ml")) if file.parent.is_dir() else []
        why = f"no such file{nearest(name, siblings)}"
    except IsADirectoryError:
        why = "is a directory; a study is one YAML file"
    except UnicodeDecodeError as error:
        why = f"not UTF-8 text, at byte {error.start}"
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    raise StudyError([Problem(name, "", why)])


def _load(text: str, *, allow_duplicate_keys: bool = False) -> Any:
    yaml = _yaml()
    yaml.allow_duplicate_keys = allow_duplicate_keys
    return yaml.load(text)


def _yaml() -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="rt", pure=True)


def _repeated(node: Any, path: Path, above: tuple[Any, ...]) -> Iterator[tuple[tuple[int, int], Path]]:
    """Yield (line, column) from 0 and path of each key that its mapping had before; `above` are the nodes around."""
    if any(node is outer for outer in above):
        return
    if node.id == "sequence":
        for index, item in enumerate(node.value):
            yield from _repeated(item, (*path, index), (*above, node))
    elif node.id == "mapping":
        met = set()
        for key, value in node.value:
            here = (*path, str(key.value))
            if here in met:
                yield (key.start_mark.line, key.start_mark.column), here
            met.add(here)
            yield from _repeated(value, here, (*above, node))
