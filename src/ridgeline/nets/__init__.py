"""Small networks with conventional names, drawn from named streams."""

from ridgeline.nets.decoders import transformer as transformer
from ridgeline.nets.fully_connected import fcn as fcn
from ridgeline.nets.resnet import resnet20 as resnet20

__all__ = ["fcn", "resnet20", "transformer"]
