"""Former name of `ridgeline.graph`, for programs that were written before its rename."""

from ridgeline.graph import Network

__all__ = ["Network"]
