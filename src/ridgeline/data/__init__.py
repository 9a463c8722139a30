"""Data sets as arrays that stay in memory: bundled, generated, on disk, or the user's own."""

from ridgeline.data.catalogue import known, load
from ridgeline.data.sets import DataSet, Split

__all__ = ["DataSet", "Split", "known", "load"]
