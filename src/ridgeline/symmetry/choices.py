"""Parts of a value that are written over, and rows that are chosen by other tensors."""

from typing import Any

import numpy as np
import torch
from torch import fx

from ridgeline.symmetry.joining import side_by_side
from ridgeline.symmetry.labels import Value, move, varies
from ridgeline.symmetry.rules import Walk, rule, unknown
from ridgeline.symmetry.units import coordinates

__all__ = ["chosen"]


@rule("slice_scatter", "select_scatter")
def _scatter(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    whole, part = walk.value(given["self"]), walk.value(given["src"])
    why = f"cannot be followed through {node.name}"
    dim = given.get("dim", 0) % len(whole.shape)
    size = whole.shape[dim]
    if "index" in given:
        written = [given["index"] % size]
        part = move(walk.units, part, lambda f: f.unsqueeze(dim), why)
    else:
        ends = slice(given.get("start"), given.get("end"), given.get("step", 1))
        written = list(range(size))[ends]
    kept = [k for k in range(size) if k not in set(written)]
    if not kept:
        return part
    left = torch.tensor(kept)
    rest = move(walk.units, whole, lambda f: f.index_select(dim, left), why)
    joined = side_by_side(walk, [rest, part], dim, why)
    order = torch.from_numpy(np.argsort([*kept, *written]))
    return move(walk.units, joined, lambda f: f.index_select(dim, order), why)


def chosen(walk: Walk, node: fx.Node) -> Any:
    """After rows were chosen by a tensor of data or of the state, as of a table of positions.

    What stands along the axis that is chosen from is fixed, and what chooses; the other axes
    stay as they are.
    """
    value, index = walk.value(node.args[0]), list(node.args[1])  # type: ignore[arg-type]  # a list
    places = [k for k, one in enumerate(index) if one is not None]
    by = [walk.value(index[k]) for k in places]
    boolean = any(index[k].meta["val"].dtype in (torch.bool, torch.uint8) for k in places)
    if len(places) != 1 or boolean:
        return unknown(walk, node)
    axis, new = places[0], len(by[0].shape)
    shape = walk.shape(node)
    why = f"chosen by {node.name}"
    for layer in by[0].layers:
        walk.units.fix(layer, why)
    layers = []
    for layer in value.layers:
        if axis in varies(layer):
            walk.units.fix(layer, why)
        else:
            sizes = (*layer.shape[:axis], *[1] * new, *layer.shape[axis + 1 :])
            layers.append(layer.reshape(sizes))
    told = set().union(*map(varies, layers)) if layers else set()
    for k, n in enumerate(shape):
        if n > 1 and k not in told:
            sizes = [n if j == k else 1 for j in range(len(shape))]
            layers.append(coordinates([n]).reshape(sizes))
    return Value(shape, tuple(layers))
