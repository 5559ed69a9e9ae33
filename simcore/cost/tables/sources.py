"""Sources: which files of a published format hold what was asked for, and their rows by kind of table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from simcore.cost.hardware import Hardware
from simcore.cost.model_spec import ModelSpec
from simcore.cost.tables import aiconfigurator, splitwise, vidur

if TYPE_CHECKING:
    import pandas as pd

Format = Literal["aiconfigurator", "vidur", "splitwise"]
Kinds = list[tuple[str, "pd.DataFrame", Path]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the measurements must be of: a GPU (by the name given, and what it is) and, if a format has one, a model."""

    gpu: str
    hardware: Hardware
    model: ModelSpec | None


@dataclass(frozen=True, slots=True)
class Read:
    """Rows of each kind of table with the file they are from, sizes of the model they are for, and what is known."""

    kinds: Kinds
    sizes: Mapping[str, int]
    facts: Mapping[str, Any]


def read_sources(format: Format, sources: Sequence[Path], wanted: Wanted) -> Read:
    """Return the rows in files or folders of a format. Raises ValueError with file and rule."""
    return _READERS[format](_files(format, sources), wanted)


def _aiconfigurator(files: Sequence[Path], wanted: Wanted) -> Read:
    kinds, software = [], {}
    for path in files:
        term = aiconfigurator.term_of(path)
        kind, rows, version = aiconfigurator.read_operator(term, path, wanted.hardware)
        kinds.append((kind, rows, path))
        software[term] = version
    return Read(kinds, {}, {"software": software, "units": aiconfigurator.UNITS})


def _vidur(files: Sequence[Path], wanted: Wanted) -> Read:
    model = wanted.model
    kinds: Kinds = []
    sizes: dict[str, int] = {}
    layers = [path for path in files if not vidur.is_allreduce(path)]
    read = {path: vidur.read_layers(path) for path in layers}
    if model is not None:
        fitting = [path for path in layers if all(getattr(model, k) == v for k, v in read[path][1].items())]
        if layers and not fitting:
            have = "; ".join(f"{path.name}: {_said(read[path][1])}" for path in layers)
            raise ValueError(
                f"no table has the sizes of {model.name} ({_said(_of(model, read[layers[0]][1]))}): {have}"
            )
        layers = fitting
    if len(layers) > 1:
        raise ValueError(f"the layers of one model at a time, got {', '.join(p.name for p in layers)}: name the model")
    for path in layers:
        rows, sizes = read[path]
        kinds += [(term, part, path) for term, part in rows.items()]
    kinds += [("allreduce", vidur.read_allreduce(path), path) for path in files if vidur.is_allreduce(path)]
    named = {"model": model.name} if model else {}
    return Read(kinds, sizes, {**named, "software": "not stated", "units": vidur.UNITS})


def _splitwise(files: Sequence[Path], wanted: Wanted) -> Read:
    model = wanted.model
    if model is None:
        raise ValueError("splitwise measured whole models: name the model, e.g. llama-2-70b")
    if len(files) != 1:
        raise ValueError(f"splitwise is one file, got {len(files)}")
    rows = splitwise.read_steps(files[0], model.name, wanted.gpu)
    names = ("layers", "hidden", "heads", "kv_heads", "intermediate", "vocab")
    sizes = {name: int(getattr(model, name)) for name in names}
    facts = {"model": model.name, "software": "not stated", "units": splitwise.UNITS}
    return Read([(term, part, files[0]) for term, part in rows.items()], sizes, facts)


def _files(format: Format, sources: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for source in sources:
        if not source.exists():
            raise ValueError(f"{source}: there is no such file or folder")
        if source.is_file():
            files.append(source)
        elif format == "aiconfigurator":
            files += aiconfigurator.operator_files(source)
        elif format == "vidur":
            files += vidur.table_files(source)
        else:
            files.append(source / "perf_model.csv")
    return files


def _of(model: ModelSpec, sizes: Mapping[str, int]) -> dict[str, int]:
    return {name: int(getattr(model, name)) for name in sizes}


def _said(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {size}" for name, size in sizes.items())


_READERS: dict[Format, Callable[[Sequence[Path], Wanted], Read]] = {
    "aiconfigurator": _aiconfigurator,
    "vidur": _vidur,
    "splitwise": _splitwise,
}
