"""Residual networks with the first weights that Lucas et al. compare, and data for some items.

Scales name them as ``ridgeline.studies.lucas2021.networks:residual``.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ridgeline import rng
from ridgeline.data import DataSet, Split, load
from ridgeline.errors import UnknownName, UsageError
from ridgeline.nets.initialise import fill
from ridgeline.nets.resnet import Norm, ResNet

__all__ = ["KINDS", "flat", "pooled", "residual", "teacher", "tiles"]

KINDS: dict[str, Norm | None] = {"BN": "batch", "BN-I": "batch", "NBN-I": None, "NBN-F": "fixup"}
"""Kind to its norm. ``-I``: every residual branch starts at zero; ``-F``: Fixup."""


def residual(
    first: str = "BN",
    depth: int = 20,
    width: int = 16,
    classes: int = 10,
    channels: int = 3,
    seed: int = 0,
) -> nn.Module:
    """A ResNet of He et al. (2015, section 4.2) with one of four kinds of first weights.

    ``BN`` is the ordinary network; ``BN-I`` starts the last scale of each branch at zero and
    ``NBN-I``, which has no normalisation, the last convolution; ``NBN-F`` is Fixup (Zhang et
    al. 2019). The kinds are those of the released code of Lucas et al. (2021, train_cifar).

    Args:
        first: One of `KINDS`.
        depth: 6 n + 2 layers: 8, 20, 32, 44, 56.
        width: Channels of the first stage.
        classes: Number of outputs.
        channels: Channels of an image.
        seed: Names the first weights.

    Returns:
        A network of images (N, channels, H, W).

    Raises:
        UnknownName: If there is no such kind.
        UsageError: If there is no network of this depth.
    """
    if first not in KINDS:
        raise UnknownName("kind of first weights", first, KINDS)
    blocks, rest = divmod(depth - 2, 6)
    if rest or blocks < 1:
        raise UsageError("A depth is 6 n + 2: 8, 20, 32 and so on.", got=str(depth))
    norm = KINDS[first]
    model = ResNet(classes, (width, 2 * width, 4 * width), blocks, norm, channels)
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            small = norm == "fixup" and name.endswith(".conv1")
            scale = model.branches**-0.5 if small else 1.0
            fill(layer, name, init="he", seed=seed, scale=scale)
            if _starts_at_zero(first, name):
                nn.init.zeros_(layer.weight)
        elif first == "BN-I" and name.endswith(".bn2") and isinstance(layer, nn.BatchNorm2d):
            nn.init.zeros_(layer.weight)
    return model


def _starts_at_zero(first: str, name: str) -> bool:
    last = name.endswith(".conv2")
    return (first == "NBN-I" and last) or (first == "NBN-F" and (last or name == "fc"))


def teacher(
    samples: int = 512, inputs: int = 20, outputs: int = 5, rank: int = 1, seed: int = 0
) -> dict[str, Any]:
    """Gaussian inputs with a linear map of low rank as targets; singular values 1 to 2.

    Args:
        samples: In each split.
        inputs: Width of an input, of variance 1.
        outputs: Width of a target.
        rank: Of the map.
        seed: Names map and samples.

    Returns:
        Splits train and test, each (inputs, targets) in float32.
    """

    def draw(rows: int, columns: int, *name: str) -> Tensor:
        return torch.randn(rows, columns, generator=rng.stream(seed, "teacher", *name))

    left = torch.linalg.qr(draw(inputs, rank, "left")).Q
    right = torch.linalg.qr(draw(outputs, rank, "right")).Q
    linear = left @ torch.diag(torch.linspace(2.0, 1.0, rank)) @ right.T
    x = {split: draw(samples, inputs, split) for split in ("train", "test")}
    return {split: (rows, rows @ linear) for split, rows in x.items()}


def tiles() -> DataSet:
    """The bundled digits as images of one channel, for small residual networks.

    Returns:
        Inputs (N, 1, 8, 8), classes as targets.
    """
    held = load("digits")
    splits = {
        name: Split(split.inputs.reshape(-1, 1, 8, 8), split.targets)
        for name, split in held.splits.items()
    }
    return replace(held, splits=splits)


def pooled(
    name: str, train: int = 0, test: int = 0, by: int = 2, normalise: bool = True
) -> DataSet:
    """A set of images with squares of pixels averaged, for residual networks on two cores.

    Args:
        name: Of the set.
        train: Training images, classes balanced; 0 for all.
        test: Test images; 0 for all.
        by: The side of a square; it divides the images'.
        normalise: As `ridgeline.data.load` takes it.

    Returns:
        Inputs (N, channels, H / by, W / by), classes as targets.
    """
    held = load(name, normalise=normalise)
    splits = {
        split: Split(functional.avg_pool2d(images.inputs, by), images.targets)
        for split, images in _sized(held, train, test).items()
    }
    return replace(held, splits=splits)


def _sized(held: DataSet, train: int, test: int) -> dict[str, Split]:
    sizes = {"train": train, "test": test}
    return {
        split: images.subset(sizes[split]) if sizes.get(split) else images
        for split, images in held.splits.items()
    }


def flat(name: str, train: int = 0, test: int = 0, normalise: bool = True) -> DataSet:
    """A set of images as rows of pixels: what an autoencoder's outputs are compared with.

    Args:
        name: Of the set.
        train: Training images, classes balanced; 0 for all.
        test: Test images; 0 for all.
        normalise: As `ridgeline.data.load` takes it.

    Returns:
        Inputs (N, pixels), classes as targets.
    """
    held = load(name, normalise=normalise)
    splits = {
        split: Split(images.inputs.flatten(1), images.targets)
        for split, images in _sized(held, train, test).items()
    }
    return replace(held, splits=splits)
