"""Table: the times of one kind of operator, measured over a grid of sizes; and tables of one GPU with their origin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.cost.hardware import Hardware
from simcore.cost.model_spec import ModelSpec

Label = str | int
Values = NDArray[np.float64]

AXES: dict[str, tuple[str, ...]] = {
    "gemm": ("m", "n", "k"),
    "prefill_attention": ("heads", "batch", "tokens"),
    "decode_attention": ("heads", "batch", "context"),
    "allreduce": ("bytes",),
    "layer_matmuls": ("tokens",),
    "layer_elementwise": ("tokens",),
    "embedding": ("tokens",),
    "step_prefill": ("tokens",),
    "step_decode": ("batch",),
    "step_context": ("context",),
}
"""The kinds of tables and their axes. `layer_*`: all such operators of one layer; `step_*`: a whole iteration."""

LABELS: dict[str, tuple[str, ...]] = {
    "gemm": ("dtype",),
    "prefill_attention": ("kv_dtype", "head_dim", "kv_heads"),
    "decode_attention": ("kv_dtype", "head_dim", "kv_heads"),
    "allreduce": ("gpus", "backend"),
    "layer_matmuls": ("tp",),
    "layer_elementwise": ("tp",),
    "embedding": ("tp",),
    "step_prefill": ("tp",),
    "step_decode": ("tp", "context"),
    "step_context": ("tp",),
}
"""What else tells tables of one kind apart: values between which nothing is interpolated."""


@dataclass(frozen=True, slots=True)
class Table:
    """One operator measured over the crossings of `axes` (name to points, ascending); NaN where it was not."""

    term: str
    labels: Mapping[str, Label]
    axes: Mapping[str, tuple[float, ...]]
    seconds: Values

    def points(self) -> tuple[Values, Values]:
        """Return the measured points: coordinates [n, axes] in the order of `axes`, and seconds [n]."""
        where = np.argwhere(np.isfinite(self.seconds))
        columns = [np.asarray(points)[where[:, axis]] for axis, points in enumerate(self.axes.values())]
        return np.stack(columns, axis=1).astype(np.float64), self.seconds[tuple(where.T)]

    def keeping(self, kept: Sequence[Sequence[int]]) -> "Table":
        """Return the table with only these points of each axis, given by index."""
        axes = {
            name: tuple(points[i] for i in indices)
            for (name, points), indices in zip(self.axes.items(), kept, strict=True)
        }
        return Table(self.term, self.labels, axes, self.seconds[np.ix_(*kept)])

    def __str__(self) -> str:
        labels = ", ".join(f"{name} {value}" for name, value in self.labels.items())
        return f"{self.term} ({labels}) over {' x '.join(self.axes)}"


@dataclass(frozen=True, slots=True)
class Tables:
    """What was measured on one GPU, and what is known about it.

    gpu: the `Hardware.name` of the GPU. sizes: sizes of the model they were measured for, by the names of `ModelSpec`;
    empty when they fit any model. provenance: source, commit, software, units. error: on points left out of the fit.
    """

    gpu: str
    tables: tuple[Table, ...]
    sizes: Mapping[str, int] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] = field(default_factory=dict)

    def find(self, term: str, **labels: Label) -> Table | None:
        """Return the table of this kind with these labels, if there is one."""
        return next((table for table in self.tables if table.term == term and table.labels == labels), None)

    def labels(self, term: str, label: str) -> list[Label]:
        """Return the values a label has among the tables of this kind, ascending."""
        return sorted({table.labels[label] for table in self.tables if table.term == term}, key=lambda x: (str(x), x))

    def require(self, model: ModelSpec, hardware: Hardware) -> None:
        """Raise ValueError unless these are the GPU and the model that were measured."""
        if hardware.name != self.gpu:
            raise ValueError(f"the tables were measured on {self.gpu}, the study's hardware is {hardware.name}")
        for name, size in self.sizes.items():
            found = getattr(model, name)
            if found != size:
                whose = self.provenance.get("model") or f"a model with {name} {size}"
                raise ValueError(
                    f"the tables were measured for {whose}: {name} must be {size}, {model.name} has {found}"
                )
