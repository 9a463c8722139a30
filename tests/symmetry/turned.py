"""Every claimed group turned by itself, in float64: nothing of the library's own proof."""

import copy

import numpy as np
import torch
from torch.func import functional_call
from torch.utils import _pytree as pytree

FAR = 1e-7
"""Of the largest output: what is more is no rounding."""


def orders(fibres, size, draws):
    """A fibre by itself, by a cycle through all its units and by a swap; and all, drawn apart."""
    stay = np.tile(np.arange(size), (fibres, 1))
    for f in sorted({0, fibres - 1, int(draws.integers(fibres))}):
        for row in [np.roll(np.arange(size), 1), [1, 0, *range(2, size)]][: 1 + (size > 2)]:
            one = stay.copy()
            one[f] = row
            yield one
    if fibres > 1:
        yield draws.permuted(stay, axis=1)


def permuted(x, place, order):
    """A tensor in which unit i of each fibre is what unit ``order[f, i]`` was."""
    x, before = x.clone(), x.clone()
    for f, row in enumerate(order):
        to, at = (torch.from_numpy(place.index[f, u].ravel()) for u in (np.arange(len(row)), row))
        if place.within is None:
            x.movedim(place.axis, 0)[to] = before.movedim(place.axis, 0)[at]
        else:
            across, where = place.within
            rows = torch.from_numpy(np.asarray(where[f]))[:, None]
            target, source = (y.movedim((across, place.axis), (0, 1)) for y in (x, before))
            target[rows, to] = source[rows, at]
    return x


def exchanged(state, exchange, order):
    """Modules in another order, each with its rows: module k is what ``order[k]`` was."""
    changed = {}
    for k, other in enumerate(order):
        for name, source in zip(*(exchange.members.tensors[j] for j in (k, other)), strict=True):
            changed[name] = state[source]
    for name, axis, width in exchange.rows:
        blocks = changed.get(name, state[name]).split(width, axis)
        changed[name] = torch.cat([blocks[k] for k in order], axis)
    return changed


def refreshed(model, seed):
    """A copy in double precision, with weights that tell units apart; positive ones stay so."""
    model = copy.deepcopy(model).double().eval()
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for x in [*model.parameters(), *model.buffers()]:
            if x.is_floating_point() and x.numel() and bool(x.isfinite().all()):
                e = torch.randn(x.shape, generator=draw, dtype=x.dtype)
                x.copy_(x * torch.exp(0.3 * e) if bool((x > 0).all()) else x + 0.3 * e)
    return model


def outputs(model, x, changed=None):
    with torch.no_grad():
        made = functional_call(model, changed or {}, x if isinstance(x, tuple) else (x,))
    held = pytree.tree_leaves(made)
    return [y for y in held if torch.is_tensor(y) and y.is_floating_point() and y.numel()]


def change(before, after):
    """The largest change of any floating output, over the size of the largest."""
    pairs = zip(before, after, strict=True)
    sizes = [float((a - b).abs().max() / a.abs().max().clamp_min(1e-30)) for a, b in pairs]
    return max(sizes, default=0.0)


def false_groups(model, symmetry, inputs, seed=0):
    """Groups that change outputs at some input when turned alone, with by how much.

    Args:
        model: As it was given to discovery.
        symmetry: What came of it.
        inputs: Double precision, of several sizes.
        seed: Of weights and orders.
    """
    draws, default = np.random.default_rng(seed), torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        base = refreshed(model, seed)
        state = base.state_dict()
        before = [outputs(base, x) for x in inputs]
        assert all(bool(y.isfinite().all()) for made in before for y in made)
        found = {}
        for g in symmetry.groups:
            for order in orders(g.fibres, g.size, draws):
                changed = {}
                for place in g.places:
                    x = changed.get(place.tensor, state[place.tensor])
                    changed[place.tensor] = permuted(x, place, order)
                after = [outputs(base, x, changed) for x in inputs]
                worst = max(map(change, before, after))
                if not worst <= FAR:
                    found[g.name] = max(worst, found.get(g.name, 0.0))
        for e in symmetry.exchanges:
            for order in orders(1, e.size, draws):
                after = [outputs(base, x, exchanged(state, e, order[0])) for x in inputs]
                worst = max(map(change, before, after))
                if not worst <= FAR:
                    found[e.name] = max(worst, found.get(e.name, 0.0))
        return found
    finally:
        torch.set_default_dtype(default)
