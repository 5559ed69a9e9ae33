"""Installed: without torch or Triton the package can be imported, and says what is missing where it is needed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernels.here import torch  # noqa: F401 - skips without torch and Triton

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("missing", ["torch", "triton"])
def test_what_is_missing_is_named_with_the_line_that_installs_it(missing):
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import kernels, kernels.shapes\n"
        "try:\n"
        "    import kernels.triton_ops\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"the Triton kernels need {missing}: pip install 'simcore[real]'"
