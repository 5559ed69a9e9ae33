"""Cost: how long a step of a model takes on a GPU, and how much KV fits beside its weights."""

from simcore.cost.affine import Affine
from simcore.cost.composite import Composite, CountTerm, LineTerm
from simcore.cost.fitted import Fitted
from simcore.cost.hardware import Hardware, hardware_names, load_hardware
from simcore.cost.memory import kv_blocks, step_reserve_bytes
from simcore.cost.model_spec import ModelSpec, load_model, model_names
from simcore.cost.profile import read_profile
from simcore.cost.roofline import Roofline

__all__ = [
    "Affine",
    "Composite",
    "CountTerm",
    "LineTerm",
    "Fitted",
    "Hardware",
    "hardware_names",
    "load_hardware",
    "kv_blocks",
    "step_reserve_bytes",
    "ModelSpec",
    "load_model",
    "model_names",
    "read_profile",
    "Roofline",
]
