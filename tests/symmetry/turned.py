"""Every claimed group turned by itself, in float64, by plain indexing: none of the library's proof."""

import copy

import numpy as np
import torch
from torch import nn
from torch.utils import _pytree as pytree

FAR = 1e-7
"""Of the largest output: what is more is no rounding."""


def orders(fibres, size, draws):
    """Each fibre by itself, and all at once, by a cycle through all its units; and by a swap."""
    cycle = np.roll(np.arange(size), 1)
    stay = np.tile(np.arange(size), (fibres, 1))
    chosen = range(fibres) if fibres <= 3 else sorted({0, fibres - 1, int(draws.integers(fibres))})
    for f in chosen:
        one = stay.copy()
        one[f] = cycle
        yield one
        if size > 2:
            swap = stay.copy()
            swap[f, :2] = 1, 0
            yield swap
    if fibres > 1:
        yield np.stack([draws.permutation(size) for _ in range(fibres)])


def permuted(x, place, order):
    """A tensor in which unit i of each fibre is what unit ``order[f, i]`` was, position by position."""
    x = x.clone()
    before = x.clone()
    fibres, size, width = place.index.shape
    for f in range(fibres):
        for i in range(size):
            for k in range(width):
                to, at = int(place.index[f, i, k]), int(place.index[f, order[f, i], k])
                if place.within is None:
                    x.select(place.axis, to).copy_(before.select(place.axis, at))
                else:
                    across, where = place.within
                    rows = torch.as_tensor(where[f])
                    target = x.movedim((across, place.axis), (0, 1))
                    source = before.movedim((across, place.axis), (0, 1))
                    target[rows, to] = source[rows, at]
    return x


def doubled(model):
    """A copy in double precision, buffers and constants that no state holds among it."""
    return copy.deepcopy(model).double().eval()


def refreshed(model, seed):
    """Weights that tell all units apart; what is positive stays so."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for x in [*model.parameters(), *model.buffers()]:
            if x.is_floating_point():
                e = torch.randn(x.shape, generator=draw, dtype=x.dtype)
                x.copy_(x * torch.exp(0.3 * e) if bool((x > 0).all()) else x + 0.3 * e)
    return model


def floats(outputs):
    return [x for x in pytree.tree_leaves(outputs) if torch.is_tensor(x) and x.is_floating_point()]


def call(model, x):
    with torch.no_grad():
        return floats(model(*x) if isinstance(x, tuple) else model(x))


def change(model, other, x):
    """The largest change of any floating output, over the size of the largest."""
    before, after = call(model, x), call(other, x)
    assert all(bool(y.isfinite().all()) for y in before)
    pairs = zip(before, after, strict=True)
    return max(
        (
            float((a - b).abs().max() / a.abs().max().clamp_min(1e-30))
            for a, b in pairs
            if a.numel()
        ),
        default=0.0,
    )


def false_groups(model: nn.Module, symmetry, inputs, seed=0):
    """Groups that change outputs at some input when turned alone, with by how much.

    Args:
        model: As it was given to discovery.
        symmetry: What came of it.
        inputs: Double precision, of several sizes.
        seed: Of weights and orders.
    """
    draws = np.random.default_rng(seed)
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        base = refreshed(doubled(model), seed)
        found = {}
        for g in symmetry.groups:
            for order in orders(g.fibres, g.size, draws):
                other = copy.deepcopy(base)
                held = other.state_dict()
                for place in g.places:
                    held[place.tensor].copy_(permuted(held[place.tensor], place, order))
                worst = max(change(base, other, x) for x in inputs)
                if worst > FAR:
                    found[g.name] = max(worst, found.get(g.name, 0.0))
        return found
    finally:
        torch.set_default_dtype(default)
