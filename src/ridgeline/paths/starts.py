"""Other starts for a path: does what is seen need the initialisation that training had?

Lucas et al. (2021) interpolate to a minimum from initialisations unrelated to it, and from
permuted ones; Tao (2024) from noise and from zero. Each start here is a new state; normalisation
statistics and labels are kept as they are, since they are functions of weights and data, not
places in weight space.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ridgeline import rng
from ridgeline.errors import UnknownName, UsageError
from ridgeline.state import State, coordinates, layers, place, ties, wide

__all__ = ["noise", "permuted", "scaled", "zeros"]


def zeros(like: State) -> State:
    """The state whose every weight is zero.

    Args:
        like: Gives names, shapes, types, statistics and labels.

    Returns:
        A state that shares only statistics and labels with the given one.
    """
    return _replaced(like, lambda _, x: torch.zeros_like(x))


def noise(like: State, scale: float = 1.0, seed: int = 0) -> State:
    """Independent Gaussian weights, each tensor with the spread that it has in a state.

    The mean is zero and the standard deviation is `scale` times that of the tensor's own values
    (their population's, about their mean), so that a tensor of equal values, such as biases at
    zero or the scales of a fresh normalisation layer, gives zeros. The experiment is Tao's (2024);
    the details are from memory.

    Args:
        like: The state whose spread is taken.
        scale: Multiplies each standard deviation; 0 or more.
        seed: Names the numbers; a tensor's depend on its name, not on the tensors before it.

    Returns:
        A state that shares only statistics and labels with the given one.

    Raises:
        UsageError: If the scale is negative or no number.
    """
    if not 0 <= scale < float("inf"):
        raise UsageError("A scale of noise is finite and not negative.", got=f"{scale}")

    def draw(name: str, x: Tensor) -> Tensor:
        numbers = torch.randn(
            x.shape, generator=rng.stream(seed, "noise", name), dtype=torch.float64
        )
        spread = float(x.double().std(correction=0)) if x.numel() else 0.0
        return (numbers * (scale * spread)).to(device=x.device, dtype=x.dtype)

    return _replaced(like, draw)


def scaled(state: State, factor: float) -> State:
    """The state with every weight multiplied by a factor; see `state.scale` for all tensors.

    Args:
        state: Names to tensors.
        factor: Any finite number.

    Returns:
        A state that shares only statistics and labels with the given one.

    Raises:
        UsageError: If the factor is not finite.
    """
    if not abs(factor) < float("inf"):
        raise UsageError("A factor is finite.", got=f"{factor}")
    return _replaced(state, lambda _, x: (wide(x) * factor).to(x.dtype))


def permuted(state: State, order_of_layers: Sequence[str], seed: int = 0) -> State:
    """The same function with its hidden units in another order (Lucas et al. 2021).

    Units between two linear layers of the chain are renamed by one random permutation: rows of
    the first layer's weight and its bias, every tensor of normalisation layers between the two,
    and columns of the second layer's weight. The function stays, where all between the two acts
    on each unit alike; the place in weight space does not.

    Args:
        state: Of a network in which the named layers follow one another, without anything else
            that holds a value per unit between them.
        order_of_layers: Names of linear layers from input to output, with normalisation layers
            where they stand: ``["fc1", "norm1", "fc2"]``. The inputs of the first and the
            outputs of the last stay in their order.
        seed: Names the permutations, one for each hidden layer.

    Returns:
        A state that shares what does not change with the given one.

    Raises:
        UnknownName: If a layer is not in the state.
        UsageError: If the layers are no chain: one is neither linear (a weight with two axes)
            nor a normalisation (one axis), the first or last is not linear, widths do not
            meet, a layer comes twice, or a tensor is shared with another name.
    """
    chain = list(order_of_layers)
    linear = _linear(state, chain)
    changed = dict(state)
    for first, last in pairwise([i for i, name in enumerate(chain) if name in linear]):
        name, following = chain[first], chain[last]
        units = state[f"{name}.weight"].shape[0]
        order = torch.randperm(units, generator=rng.stream(seed, "permutation", name))
        for layer in chain[first:last]:
            for tensor in _tensors(state, layer):
                x = changed[tensor]
                changed[tensor] = x[order.to(x.device)] if x.ndim else x
        x = changed[f"{following}.weight"]
        changed[f"{following}.weight"] = x[:, order.to(x.device)]
    return changed


def _replaced(like: State, function: Callable[[str, Tensor], Tensor]) -> State:
    """The state with each weight replaced; names that share a tensor share its replacement."""
    made = {place(like[name]): function(name, like[name]) for name in coordinates(like)}
    return {name: made.get(place(x), x) for name, x in like.items()}


def _linear(state: State, chain: Sequence[str]) -> set[str]:
    """Return which layers of a chain are linear; refuses what is no chain."""
    known = layers(state)
    for name in chain:
        if name not in known:
            raise UnknownName("layer", name, known)
    linear = {n for n in chain if f"{n}.weight" in state and state[f"{n}.weight"].ndim == 2}
    if len(chain) < 2 or len(set(chain)) < len(chain):
        raise _no_chain(f"{list(chain)}")
    for name in (chain[0], chain[-1]):
        if name not in linear:
            raise _no_chain(f"{name!r} at an end of it, with {_shapes(state, name)}")
    width = 0
    for i, name in enumerate(chain):
        if name in linear:
            rows, columns = state[f"{name}.weight"].shape
            if i and columns != width:
                raise _no_chain(f"{width} units before {name!r}, with {_shapes(state, name)}")
            width = rows
        for tensor in _tensors(state, name):
            x = state[tensor]
            if tensor != f"{name}.weight" or name not in linear:
                per_unit = x.ndim == 1 and len(x) == width
                if not per_unit and (x.ndim or name in linear):
                    raise _no_chain(f"{name!r} after {width} units, with {_shapes(state, name)}")
    inside = {tensor for name in chain for tensor in _tensors(state, name)}
    for tied in ties(state):
        if inside & set(tied):
            raise _no_chain(f"one tensor under the names {', '.join(tied)}")
    return linear


def _tensors(state: State, layer: str) -> list[str]:
    """Names of all tensors of a layer, those of its sub-modules left to them."""
    return layers(state)[layer]


def _shapes(state: State, layer: str) -> str:
    found = [f"{n.rpartition('.')[2]} {tuple(state[n].shape)}" for n in _tensors(state, layer)]
    return ", ".join(found)


def _no_chain(got: str) -> UsageError:
    return UsageError(
        "Hidden units are permuted in a chain of linear layers, each with one weight of two axes "
        "and as many columns as the linear layer before it has rows, with nothing but "
        "normalisation layers of that many units between them.",
        got=got,
        remedy="Name the layers in the order of the network, from one linear layer to another: "
        "['fc1', 'norm1', 'fc2']. For other networks, find their symmetries first.",
    )
