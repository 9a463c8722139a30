"""Repairs: what is wrong with a network between two others, and setting it right."""

from ridgeline.repairs.along import along, midpoint, repaired
from ridgeline.repairs.collapse import Collapse, collapse
from ridgeline.repairs.repair import KINDS, Repair, Repairer, RepairKind
from ridgeline.repairs.temperature import Calibrated, calibrated, temperature, tempered

__all__ = [
    "KINDS",
    "Calibrated",
    "Collapse",
    "Repair",
    "RepairKind",
    "Repairer",
    "along",
    "calibrated",
    "collapse",
    "midpoint",
    "repaired",
    "temperature",
    "tempered",
]
