"""simcore: which scheduling policy to run, for your traffic and your SLO, and whether to believe it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simcore.study.api import Study as Study
    from simcore.study.results import Results as Results

__version__ = "0.4.0"
__all__ = ["Results", "Study", "__version__"]


def __getattr__(name: str) -> Any:
    # `import simcore` stays light: a study brings pydantic and all that it reads.
    if name in ("Results", "Study"):
        return getattr(import_module(f"simcore.study.{'api' if name == 'Study' else 'results'}"), name)
    raise AttributeError(f"module 'simcore' has no attribute {name!r}")
