"""Check that a network follows its weights: what was computed of others is found, or refused.

Asking twice at one state cannot see a kernel that was computed at the first call and kept. So one
other state is put in place of the network's own and compared with a copy of the user's module that
has loaded it. What a module that was used before has kept is emptied, where it is filled again.
"""

from collections.abc import Callable, Mapping
from functools import _lru_cache_wrapper
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import Parameter
from torch.utils import _pytree as pytree

from ridgeline.errors import StaleWeights
from ridgeline.graph.copies import duplicate
from ridgeline.graph.emptying import computed, fresh, put
from ridgeline.graph.keeping import holders_of
from ridgeline.graph.modes import Caller
from ridgeline.graph.network import Network
from ridgeline.graph.shaking import close, parameters_in, shake, shaken
from ridgeline.rng import untouched

__all__ = ["check_follows"]

SAME = 1e-5
"""Outputs of the same operations on the same numbers, over the largest."""


def check_follows(
    model: nn.Module,
    network: Network,
    tensors: Mapping[str, Tensor],
    inputs: Any,
    other: dict[str, Tensor] | None = None,
) -> None:
    """Refuse a network whose outputs stay those of weights that it had before.

    Args:
        model: The caller's; left as it is.
        network: Of it.
        tensors: A state, in the type and on the device of the inputs.
        inputs: A few samples.
        other: Another state, as `empty_caches` gives it, whose tensors are used up.

    Raises:
        StaleWeights: Naming the module, and what it may be that keeps something.
    """
    if any(x.is_meta for x in tensors.values()):
        return  # there is nothing to compute with
    with untouched(), torch.no_grad():
        # A call may have written to the other state's weights: a fault is looked at anew.
        if (other and _follows(model, network, tensors, inputs, other)) or _follows(
            model, network, tensors, inputs, {}
        ):
            return
        held = shaken(network, tensors)
        culprit = _culprit(network, held, _loaded(model, network, tensors, {}), inputs)
        raise StaleWeights(culprit, _keepers(culprit[1]))


def _follows(
    model: nn.Module,
    network: Network,
    tensors: Mapping[str, Tensor],
    inputs: Any,
    other: dict[str, Tensor],
) -> bool:
    """True if a network gives for another state what a module that has loaded it gives."""
    loaded = _loaded(model, network, tensors, other)
    torch.manual_seed(0)  # what is random is the same in both
    try:
        want = loaded(inputs)
    except Exception:  # the other state may be one at which the user's code refuses to work
        return True
    want = pytree.tree_map(_own, want)
    # Weights move in place along a path: what is kept by a tensor's identity is found again.
    held = _instead(loaded, tensors)
    network(held, inputs)
    parameters = set(parameters_in(network, tensors))
    for n, x in tensors.items():
        shake(n, x, held[n]) if n in parameters else held[n].copy_(x)
    torch.manual_seed(0)
    return close(network(held, inputs), want, SAME)


def _own(x: Any) -> Any:
    """An output whose memory is no weight's."""
    return x.clone() if isinstance(x, Tensor) else x


def _instead(loaded: Caller, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A copy of a state, for which a loaded module's memory is given back, tensor by tensor.

    Never within the same memory: a cache by addresses would be right by chance.

    Args:
        loaded: Whose weights are lost.
        tensors: The state.
    """
    places = {**dict(loaded.inner.named_parameters()), **dict(loaded.inner.named_buffers())}
    held: dict[str, Tensor] = {}
    for name, x in tensors.items():
        held[name] = x.clone()
        if name in places:  # who else holds the memory keeps it
            places[name].data = places[name].new_empty(0)
    return held


def _loaded(
    model: nn.Module, network: Network, tensors: Mapping[str, Tensor], other: dict[str, Tensor]
) -> Caller:
    """A copy of the caller's module that has loaded another state, in evaluation mode.

    Args:
        model: The caller's.
        network: Of it.
        tensors: Its state.
        other: Tensors of the other state, if it was made; they become the copy's.
    """
    own = dict(network.module.named_parameters())  # those of the caller
    given = [n for n in other if n in own and type(own[n]) is Parameter]
    taken = {id(own[n]): Parameter(other.pop(n), own[n].requires_grad) for n in given}
    copied = duplicate(model, taken)
    parts = dict(copied.named_modules())
    for name, key, value in network.emptied:
        put(parts[name], key, fresh(value, deep=True))
    like = next((x for x in tensors.values() if x.is_floating_point()), None)

    def cast(x: Tensor) -> Tensor:
        if like is None:
            return x
        wide = like.dtype.to_complex() if x.is_complex() else like.dtype
        return x.to(like.device, wide if x.is_floating_point() or x.is_complex() else None)

    copied._apply(cast)
    of = {place: name for name, places in network.places.items() for place in places}
    state, parameters = copied.state_dict(), set(parameters_in(network, tensors))
    for place, x in state.items():
        name = of.get(place)
        if name is not None and name in tensors and name not in given:
            # Loading alone counts as writing: what is kept may be told by a tensor's version.
            own = x.data
            shake(name, tensors[name], own) if name in parameters else own.copy_(tensors[name])
    copied.load_state_dict(state)
    return Caller(copied.eval(), network.forward, blank=network.blank_classes)


def _culprit(
    network: Network, tensors: Mapping[str, Tensor], loaded: Caller, inputs: Any
) -> tuple[str, nn.Module]:
    """The innermost part that gives other outputs to equal inputs than its loaded twin."""
    ours = _calls(network.module, lambda: network(tensors, inputs))
    theirs = _calls(loaded.inner, lambda: loaded(inputs))
    for (name, part, given, x), (again, _, given_again, y) in zip(ours, theirs, strict=False):
        if name == again and close(given, given_again, SAME) and not close(x, y, SAME):
            return name, part
    return "", network.module


def _calls(module: nn.Module, run: Callable[[], Any]) -> list[tuple[str, nn.Module, Any, Any]]:
    calls: list[tuple[str, nn.Module, Any, Any]] = []
    hooks = [
        m.register_forward_hook(
            lambda m, args, kwargs, out, n=n: calls.append((n, m, (args, kwargs), out)),
            with_kwargs=True,
        )
        for n, m in module.named_modules()
    ]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _keepers(culprit: nn.Module) -> list[str]:
    """Return what of a part may keep something."""
    found = [k for _, part, k, x in holders_of(culprit) if part is culprit and computed(x)]
    cached = [
        key
        for kind in type(culprit).__mro__
        for key, x in vars(kind).items()
        if isinstance(x, _lru_cache_wrapper)
    ]
    return found + [f"what {key} gave, by functools" for key in cached]
