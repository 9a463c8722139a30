"""Repairs: what is wrong with a network between two others, and setting it right."""

from ridgeline.repairs.along import along, check_one_network, midpoint, repaired, repaired_among
from ridgeline.repairs.collapse import Collapse, collapse
from ridgeline.repairs.repair import KINDS, Repair, RepairKind
from ridgeline.repairs.repairer import Repairer
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
    "check_one_network",
    "collapse",
    "midpoint",
    "repaired",
    "repaired_among",
    "temperature",
    "tempered",
]
