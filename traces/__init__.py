"""Traces: request traffic for both backends, replayed from public trace formats or generated from fits.

    workload = open_trace("azure_conv_2023", rate=4.0, requests=1000, seed=1)
    for piece in workload.pieces(): ...

`docs/formats.md` has the formats of files, `docs/traffic.md` the generators, `docs/traffic_fit.md` how well they fit.
"""

from traces.catalogue import catalogue_names, describe
from traces.classes import Classified, RequestClass, request_classes
from traces.clients import clients
from traces.filled import Filled
from traces.formats import FORMATS
from traces.groups import groups
from traces.opened import Opened
from traces.opening import check, open_trace
from traces.parameters import ParameterError
from traces.problems import TraceError
from traces.programs import Programs, programs
from traces.replay import Replay
from traces.sharing import prefix_hit_share
from traces.synthetic import Synthetic, synthetic

__all__ = [
    "FORMATS",
    "Classified",
    "Filled",
    "Opened",
    "ParameterError",
    "Programs",
    "Replay",
    "RequestClass",
    "Synthetic",
    "TraceError",
    "catalogue_names",
    "check",
    "clients",
    "describe",
    "groups",
    "open_trace",
    "prefix_hit_share",
    "programs",
    "request_classes",
    "synthetic",
]
