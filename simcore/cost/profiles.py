"""Profiles: a cost model from a profile file of any kind: fitted to a run, tables of operators, or a profile of layers.

A file says which it is. What is passed around is where it lies and what is in it, by its hash; each process reads it
once.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.contract import CostModel
from simcore.cost.fitted import Fitted
from simcore.cost.hardware import Hardware
from simcore.cost.model_spec import ModelSpec
from simcore.cost.profile import read_profile

if TYPE_CHECKING:
    from simcore.cost.layers.cost import LayerProfile
    from simcore.cost.tables import TableCost

Build = Callable[[ModelSpec, Hardware, int], CostModel]


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile file that was read.

    sha256: of its bytes. described: provenance, and error on held-out points.
    prefill_step_overhead_s: what each step with a prompt in it takes longer than a profile of layers says.
    """

    path: Path
    sha256: str
    described: Mapping[str, Any]
    prefill_step_overhead_s: float = 0.0

    def cost(self, model: ModelSpec, hardware: Hardware, tp: int = 1) -> CostModel:
        """Return the cost model for a model on `tp` GPUs. Raises ValueError if it was measured with others."""
        return _opened(self.path, self.sha256, self.prefill_step_overhead_s)[0](model, hardware, tp)


def open_profile(path: Path, prefill_step_overhead_s: float = 0.0) -> Profile:
    """Return a profile file. Raises ValueError with place and rule."""
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from None
    described = dict(_opened(path, sha256, prefill_step_overhead_s)[1])
    if prefill_step_overhead_s:
        described["prefill_step_overhead_s"] = prefill_step_overhead_s
    return Profile(path, sha256, described, prefill_step_overhead_s)


@lru_cache(maxsize=8)
def _opened(path: Path, _sha256: str, overhead_s: float) -> tuple[Build, Mapping[str, Any]]:
    """Return what builds the cost model, and what the file says about itself."""
    schema = _schema_of_archive(path)
    if overhead_s and not (schema or "").startswith("simcore.layers/"):
        raise ValueError(f"prefill_step_overhead_ms is for a profile of layers, which {path} is not")
    if schema is None:
        fitted = read_profile(path)

        def as_fitted(_model: ModelSpec, _hardware: Hardware, _tp: int) -> Fitted:
            return fitted

        return as_fitted, fitted.described
    if schema.startswith("simcore.layers/"):
        from simcore.cost.layers.file import read_layers

        layers = read_layers(path)

        def of_layers(model: ModelSpec, hardware: Hardware, tp: int) -> "LayerProfile":
            from simcore.cost.layers.cost import LayerProfile, Terms

            return LayerProfile(model, hardware, layers, tp, terms=Terms(prefill_step_overhead_s=overhead_s))

        return of_layers, {"held_out_error": dict(layers.error), "provenance": dict(layers.provenance)}
    from simcore.cost.tables import read_tables

    tables = read_tables(path)

    def of_tables(model: ModelSpec, hardware: Hardware, tp: int) -> "TableCost":
        from simcore.cost.tables import TableCost

        return TableCost(model, hardware, tables, tp)

    return of_tables, {"held_out_error": dict(tables.error), "provenance": dict(tables.provenance)}


def _schema_of_archive(path: Path) -> str | None:
    """Return which tables a NumPy archive holds; None: it is none; "": it does not say, which its reader refuses."""
    import numpy as np

    if not zipfile.is_zipfile(path):
        return None
    try:
        with np.load(path, allow_pickle=False) as archive:
            return str(json.loads(str(archive["header"])).get("schema", ""))
    except (OSError, ValueError, KeyError, AttributeError, zipfile.BadZipFile):
        return ""
