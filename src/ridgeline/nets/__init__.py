"""Small networks with conventional names, drawn from named streams."""

from ridgeline.nets.fcn import fcn as fcn
from ridgeline.nets.resnet import resnet20 as resnet20
from ridgeline.nets.transformer import transformer as transformer

__all__ = ["fcn", "resnet20", "transformer"]
