"""simcore: which scheduling policy to run, for your traffic and your SLO, and whether to believe it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simcore.study.api import Study as Study

__version__ = "0.1.0"
__all__ = ["Study", "__version__"]


def __getattr__(name: str) -> Any:
    # `import simcore` stays light: a study brings pydantic and all that it reads.
    if name == "Study":
        return import_module("simcore.study.api").Study
    raise AttributeError(f"module 'simcore' has no attribute {name!r}")
