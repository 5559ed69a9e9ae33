"""CSV writer: a workload as the table of the Azure traces; times are seconds from the first request, exact."""

from pathlib import Path

from simcore.contract.traffic import Workload
from simcore.contract.units import PS_PER_S
from traces.mooncake_writer import Written, lost
from traces.open_loop import OpenLoop
from traces.requests import requests_of
from traces.saving import saving

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")


def write_csv(workload: Workload, path: Path, *, tpot_ms: float | None = None, overwrite: bool = False) -> Written:
    """Write a workload; nothing is left under `path` if that fails. Raises TraceError.

    tpot_ms: how long turns take where others wait for them, see `OpenLoop`.
    """
    written = Written(path, lost=lost(workload, prefixes=False))
    with saving(path, overwrite=overwrite) as file:
        file.write(",".join(COLUMNS) + "\n")
        for request in OpenLoop(tpot_ms)(requests_of(workload, None)):
            file.write(f"{seconds(request.at_ps)},{request.prompt_tokens},{request.output_tokens}\n")
            written.requests += 1
    return written


def seconds(ps: int) -> str:
    """Return picoseconds as seconds, with all the digits there are and no more.

    >>> seconds(1_500_000_000_000), seconds(1), seconds(0)
    ('1.5', '0.000000000001', '0')
    """
    whole, rest = divmod(ps, PS_PER_S)
    return f"{whole}.{rest:012d}".rstrip("0").rstrip(".")
