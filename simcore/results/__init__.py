"""Results: rows become files, files become metrics, runs become intervals, differences, tables and pictures.

`CellWriter` takes the rows of one run, `finish_cell` says what they amount to, `assemble` makes the folder people see.
Nothing heavy is loaded by importing this package.
"""

from simcore.results.assemble import StudyFacts, assemble
from simcore.results.cell import CellResult, finish_cell, read_cell
from simcore.results.frames import classes_frame, instances_frame, read_summary, requests_frame, summary_frame
from simcore.results.plots import draw_plots
from simcore.results.schema import SLO_KEYS, STATES
from simcore.results.slo import check_slo
from simcore.results.table import print_summary
from simcore.results.vllm import vllm_block
from simcore.results.wording import verdicts
from simcore.results.writer import CellWriter

__all__ = [
    "SLO_KEYS",
    "STATES",
    "CellResult",
    "CellWriter",
    "StudyFacts",
    "assemble",
    "check_slo",
    "classes_frame",
    "draw_plots",
    "finish_cell",
    "instances_frame",
    "print_summary",
    "read_cell",
    "read_summary",
    "requests_frame",
    "summary_frame",
    "verdicts",
    "vllm_block",
]
