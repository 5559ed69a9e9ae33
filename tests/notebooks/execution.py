"""Execution: a notebook run in a copy of the studies, as after a fresh clone, by the interpreter of the tests."""

import os
import shutil
from base64 import b64decode, b64encode
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "studies" / "notebooks").glob("*.ipynb"))
MISSING = [name for name in ("nbclient", "nbformat", "ipykernel") if find_spec(name) is None]
"""Packages that running a notebook takes, and that are not installed."""

NBFORMAT = 4
CELL_TIMEOUT_S = 600
PNG = "image/png"
COLOURS = 64


def stored(path: Path) -> "NotebookNode":
    """Return a notebook as it is stored."""
    from nbformat import read

    return read(path, as_version=NBFORMAT)


def executed(path: Path, folder: Path) -> "NotebookNode":
    """Return a notebook of `studies/notebooks` with new outputs; what it writes lands in the empty `folder`.

    Raises nbclient's CellExecutionError if a cell fails that is not tagged `raises-exception`.
    """
    from ipykernel.kernelspec import write_kernel_spec
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    shutil.copytree(ROOT / "studies", folder / "studies", ignore=shutil.ignore_patterns("runs", ".ipynb_checkpoints"))
    # The kernels of this machine's users may be other interpreters, with other packages.
    write_kernel_spec(folder / "kernels" / "python3")
    kernels = KernelSpecManager(kernel_dirs=[str(folder / "kernels")])
    kernel = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=kernels)
    notebook = stored(path)
    client = NotebookClient(notebook, km=kernel, timeout=CELL_TIMEOUT_S, record_timing=False)
    folder_of = folder / path.parent.relative_to(ROOT)
    # The manager is ours, so the client would leave its kernel running.
    client.execute(cwd=str(folder_of), env=_environment(folder), cleanup_kc=True)
    return notebook


def store(notebook: "NotebookNode", path: Path) -> None:
    """Write a notebook without what differs from machine to machine or says nothing about it."""
    from nbformat import write

    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {"tags": cell.metadata.tags} if "tags" in cell.metadata else {}
        for data in (output.get("data", {}) for output in cell.get("outputs", ())):
            if PNG in data:
                data[PNG] = _small(data[PNG])
    write(notebook, path, version=NBFORMAT)


def _small(png: str) -> str:
    """Return a picture, in base64, in a quarter of the bytes: lines and text need few colours."""
    from PIL import Image

    picture, small = Image.open(BytesIO(b64decode(png))), BytesIO()
    picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return b64encode(small.getvalue()).decode()


def _environment(folder: Path) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if name not in ("SIMCORE_RUNS", "MPLBACKEND")}
    own = {"IPYTHONDIR": str(folder / "ipython"), "MPLCONFIGDIR": str(folder / "matplotlib")}
    return environment | own | {"PYTHONPATH": str(ROOT)}
