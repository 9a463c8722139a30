"""Checkpoints in and out, and the user's own functions by name. Reading never executes code."""

from ridgeline.io.checkpoints import load, save
from ridgeline.io.entry import resolve
from ridgeline.io.inspection import Inspection, TensorInfo, inspect

__all__ = ["Inspection", "TensorInfo", "inspect", "load", "resolve", "save"]
