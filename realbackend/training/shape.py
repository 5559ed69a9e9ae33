"""Shape of a model that learns digits: a small Llama whose vocabulary is the characters of the tasks."""

from realbackend.model.shape import ModelShape
from realbackend.training.task import CHARACTERS

_HEADS, _KV_HEADS, _POSITIONS = 4, 2, 256


def digits_shape(layers: int = 2, hidden: int = 64) -> ModelShape:
    """Return a shape; 2 layers, 64 wide, have 77 thousand parameters: minutes on a CPU.

    >>> digits_shape().parameters
    76096
    """
    return ModelShape(
        "llama", layers, hidden, _HEADS, _KV_HEADS, hidden // _HEADS, 2 * hidden, len(CHARACTERS), _POSITIONS
    )
