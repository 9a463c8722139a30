"""Rules of looking up and of laying side by side."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import fx

from ridgeline.symmetry.labels import (
    Value,
    compress,
    tidy,
)
from ridgeline.symmetry.rules.pointers import pointed, points_of
from ridgeline.symmetry.rules.registry import Walk, rule, why_of
from ridgeline.symmetry.units import coordinates

__all__: list[str] = ["side_by_side"]


@rule("embedding")
def _embedding(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    weight, index = walk.value(given["weight"]), walk.value(given["indices"])
    points = points_of(walk, given["indices"])
    if points is not None and len(points) == weight.shape[0]:
        weight = pointed(walk, weight, 0, points, "rows chosen by data")
    rows = [f for f in weight.layers if f.shape[0] > 1]
    for row in rows:
        walk.units.fix(row, "rows chosen by data")
    columns = [f.reshape(*[1] * len(index.shape), -1) for f in weight.layers if f.shape[0] == 1]
    places = [f[..., None] for f in index.layers]
    return Value(walk.shape(node), (*places, *columns))


def side_by_side(
    walk: Walk, values: Sequence[Value], dim: int, why: str, join: Any = torch.cat
) -> Value:
    """After values were laid side by side, or stacked, along an axis.

    Their layers are matched by the other axes that they tell apart, units before coordinates.
    """
    shape = tuple(join([torch.zeros(()).expand(v.shape) for v in values], dim).shape)
    along = dim % len(shape)
    parts: dict[Any, list[torch.Tensor]] = {}
    for i, value in enumerate(values):
        seen: dict[tuple[int, ...], int] = {}
        for layer in sorted(value.layers, key=lambda f: bool((f <= 0).all())):
            lifted = layer if join is torch.cat else np.expand_dims(layer, along)
            at = tuple(k for k, n in enumerate(lifted.shape) if n > 1 and k != along)
            seen[at] = seen.get(at, -1) + 1
            blank = [torch.zeros((), dtype=torch.int64).expand(v.shape) for v in values]
            parts.setdefault((at, seen[at]), blank)[i] = value.full(layer)
    layers = []
    for (at, _), part in parts.items():
        if at and all(int(f.max()) <= 0 for f in part):  # the same places, in every part
            layers.append(coordinates([n if k in at else 1 for k, n in enumerate(shape)]))
        else:
            layers.append(compress(walk.units, join(part, dim), why))
    # Which part, lest two that are made of the same units be taken for each other.
    sizes = [1 if join is torch.stack else v.shape[along] for v in values]
    which = np.repeat(coordinates([len(values)]), sizes)
    if len(values) > 1:
        layers.append(which.reshape([-1 if k == along else 1 for k in range(len(shape))]))
    kept = [f for f in layers if f is not None]
    if any(n > 1 for n in sizes) and all(f.shape[along] == 1 for f in kept[:-1]):
        kept += Value.of([n if k == along else 1 for k, n in enumerate(shape)]).layers
    return Value(shape, tidy(kept))


@rule("cat", "concat", "concatenate")
def _cat(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    values = [v for v in map(walk.value, given["tensors"]) if 0 not in v.shape]  # nothing there
    if len(values) < 2:
        return values[0] if values else Value(walk.shape(node))
    return side_by_side(walk, values, given.get("dim", 0), why_of(node))


@rule("stack")
def _stack(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    values = [walk.value(of) for of in given["tensors"]]
    return side_by_side(walk, values, given.get("dim", 0), why_of(node), torch.stack)
