"""Capacity: how far a load, or any key of a study, can go within the SLO, found by runs that close in on the edge."""

from simcore.capacity.find import find_capacity
from simcore.capacity.result import Capacity

__all__ = ["Capacity", "find_capacity"]
