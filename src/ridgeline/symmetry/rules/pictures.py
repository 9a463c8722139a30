"""Rules of pictures and sequences: borders, resizing, slopes of channels."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx

from ridgeline.symmetry.labels import Value, combine, move, spatial, taken, varies
from ridgeline.symmetry.rules.registry import Walk, rule, why_of
from ridgeline.symmetry.units import Labels

__all__: list[str] = []


@rule("prelu")
def _prelu(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    """Slopes stand along the second axis, as those of channels; one slope is that of all."""
    x, slope = walk.value(given["self"]), walk.value(given["weight"])
    several = math.prod(slope.shape) > 1
    shape = (-1, *[1] * (len(x.shape) - 2)) if several else ()
    laid = move(walk.units, slope, lambda f: f.reshape(shape), why_of(node))
    return combine(walk.units, [x, laid], why_of(node))


@rule("constant_pad_nd")
def _border(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    """A border of one number is the same for all channels: it blanks the axes it lies along.

    A layer that tells nothing apart along an axis tells nothing apart along a longer one. So
    zeros before a causal convolution leave its channels free, and coordinates stay those of
    their own axis when channels of zeros are laid beside others.
    """
    value, sides, why = walk.value(given["self"]), list(given["pad"]), why_of(node)
    shape, axes = walk.shape(node), len(walk.shape(node))
    layers: list[Labels] = []
    for layer in value.layers:
        mine = [n if axes - 1 - k // 2 in varies(layer) else 0 for k, n in enumerate(sides)]
        padded = F.pad(torch.from_numpy(layer), mine)  # with no label
        if (kept := taken(walk.units, layer, padded, why)) is not None:
            layers.append(kept)
    told = set().union(*map(varies, layers)) if layers else set()
    new = {axes - 1 - k // 2 for k, n in enumerate(sides) if n > 0} - told
    border = Value.of([n if k in new else 1 for k, n in enumerate(shape)])
    return Value(shape, (*layers, *border.layers))


@rule("pad")
def _pad(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    mode = given.get("mode", "constant")
    if mode == "constant":
        return _border(walk, node, given)
    value, sides = walk.value(given["self"]), list(given["pad"])
    return move(walk.units, value, lambda f: F.pad(f, sides, mode=mode), why_of(node))


@rule(
    *(f"upsample_{kind}" for kind in ("nearest3d", "trilinear3d")),
    *(f"_upsample_nearest_exact{k}d" for k in (1, 2, 3)),
    *(f"_upsample_{kind}2d_aa" for kind in ("bilinear", "bicubic")),
    "_upsample_lanczos2d_aa",
)
def _resized(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    """A picture of another size: each channel by itself, whichever it is."""
    x = walk.value(next(iter(given.values())))
    return spatial(walk.units, x, walk.shape(node), 2, why_of(node))
