"""Networks with conventional names, their weights drawn from named streams."""

from ridgeline.nets.catalogue import KINDS as KINDS
from ridgeline.nets.catalogue import build as build
from ridgeline.nets.catalogue import options_of as options_of
from ridgeline.nets.decoders import transformer as transformer
from ridgeline.nets.fully_connected import autoencoder as autoencoder
from ridgeline.nets.fully_connected import fcn as fcn
from ridgeline.nets.masked import masked_fcn as masked_fcn
from ridgeline.nets.recurrent import lstm as lstm
from ridgeline.nets.resnet import resnet18 as resnet18
from ridgeline.nets.resnet import resnet20 as resnet20
from ridgeline.nets.soft_trees import SoftTrees as SoftTrees
from ridgeline.nets.soft_trees import soft_trees as soft_trees
from ridgeline.nets.vgg import lenet as lenet
from ridgeline.nets.vgg import vgg as vgg
from ridgeline.nets.vgg import vgg11 as vgg11
from ridgeline.nets.vgg import vgg16 as vgg16
from ridgeline.nets.vision import vit as vit

__all__ = [
    "KINDS",
    "SoftTrees",
    "autoencoder",
    "build",
    "fcn",
    "lenet",
    "lstm",
    "masked_fcn",
    "options_of",
    "resnet18",
    "resnet20",
    "soft_trees",
    "transformer",
    "vgg",
    "vgg11",
    "vgg16",
    "vit",
]
