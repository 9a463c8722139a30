"""Checkpoints in and out, and the user's own functions by name. Reading never executes code."""

from ridgeline.io.checkpoints import load, save
from ridgeline.io.entry import resolve, resolve_function
from ridgeline.io.inspection import Inspection, TensorInfo, inspect
from ridgeline.io.nesting import Stored
from ridgeline.io.replacing import is_made_here
from ridgeline.io.rewriting import WRITTEN, in_format_of, save_like
from ridgeline.io.symmetries import load_symmetry, save_symmetry, symmetry_record
from ridgeline.io.writing import atomic_path, fresh_directory, version

__all__ = [
    "WRITTEN",
    "Inspection",
    "Stored",
    "TensorInfo",
    "atomic_path",
    "fresh_directory",
    "in_format_of",
    "inspect",
    "is_made_here",
    "load",
    "load_symmetry",
    "resolve",
    "resolve_function",
    "save",
    "save_like",
    "save_symmetry",
    "symmetry_record",
    "version",
]
