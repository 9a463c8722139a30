"""States of an objective's network: what a state must hold, and in which types it is computed."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import StateMismatch
from ridgeline.graph import Network

__all__ = ["check_state", "dtype_of", "settle_other_buffers"]


def check_state(network: Network, state: Mapping[str, Tensor], name: str) -> None:
    """Refuse a state that is not one of a network.

    Args:
        network: Whose structure counts.
        state: Names to tensors.
        name: What to call it in the message.

    Raises:
        StateMismatch: With a diff against the model.
    """
    wanted = states.tensors_of(network.module)
    needed = network.tensors
    missing = {k: tuple(x.shape) for k, x in needed.items() if k not in state}
    extra = {k: tuple(x.shape) for k, x in state.items() if k not in wanted}
    changed: dict[str, tuple[object, object]] = {
        k: (tuple(x.shape), tuple(state[k].shape))
        for k, x in needed.items()
        if k in state and state[k].shape != x.shape
    }
    if missing or extra or changed:
        raise StateMismatch(missing=missing, extra=extra, changed=changed, a="the model", b=name)
    for first, *others in states.ties(wanted):
        for other in others:
            given = first in state and other in state
            if given and not states.equal(state[first], state[other]):
                raise StateMismatch(
                    changed={other: ("tied to " + first, "another value")},
                    a="the model",
                    b=name,
                    remedy="The model shares one tensor under both names; untie it in the "
                    "model, or make the state's two tensors equal.",
                )


def dtype_of(network: Network) -> torch.dtype:
    """Return the type of a network's first floating tensor; float32 if there is none."""
    floating = (x.dtype for x in network.tensors.values() if x.is_floating_point())
    return next(floating, torch.float32)


def settle_other_buffers(network: Network, device: torch.device, dtype: torch.dtype) -> None:
    """Copy buffers that no state holds (they are not persistent) to device and dtype."""
    for module in network.module.modules():
        for name in module._non_persistent_buffers_set:
            x = module._buffers.get(name)
            if x is not None:
                matching = states.matching(dtype, x)
                module._buffers[name] = x.to(device=device, dtype=matching, copy=True)
