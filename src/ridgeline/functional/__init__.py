"""Graphs of tensor operations, and their in-place operations made functional."""

from ridgeline.functional.memory import transformed
from ridgeline.functional.operations import arguments, operation
from ridgeline.functional.rewriting import make_functional

__all__ = ["arguments", "make_functional", "operation", "transformed"]
