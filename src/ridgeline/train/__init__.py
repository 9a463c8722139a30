"""Training: one loop, and what it keeps."""

from ridgeline.train.loop import Run as Run
from ridgeline.train.loop import train as train

__all__ = ["Run", "train"]
