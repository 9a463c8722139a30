"""Calls of a model, and what its batches are made of."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ridgeline.errors import NotTraceable

__all__ = ["Forward", "call", "check_outputs", "flatten", "take_apart", "unpacked", "whole"]

Forward = Callable[[nn.Module, Any], Any]
"""A call of a model: ``(module, inputs) -> outputs``."""

CONSTANTS = (bool, int, float, complex, str, bytes, Enum, torch.dtype, torch.device, range)
"""Types beside tensors that stand in a batch: a mode, a flag, a length, in the graph as it is."""


def call(module: nn.Module, inputs: Any) -> Any:
    """The usual way to call a model: a dict by keywords, a tuple by position, a tensor alone.

    Of an output that is a mapping or has `logits` (as the models of `transformers` give) the
    logits are taken; of a tuple, the first.

    Args:
        module: Any module.
        inputs: A tensor, a tuple of tensors, or a dict of tensors.

    Returns:
        The tensor that losses and metrics are computed from.
    """
    outputs = whole(module, inputs)
    if isinstance(outputs, Tensor):
        return outputs
    if isinstance(outputs, Mapping):
        return outputs.get("logits", outputs)
    if isinstance(outputs, tuple) and not hasattr(outputs, "logits"):
        return outputs[0]
    return getattr(outputs, "logits", outputs)


def whole(module: nn.Module, inputs: Any) -> Any:
    """All that a model returns, called as `call` does.

    Args:
        module: Any module.
        inputs: A tensor, a tuple of tensors, or a dict of tensors.
    """
    if isinstance(inputs, Mapping):
        return module(**inputs)
    return module(*inputs) if isinstance(inputs, tuple) else module(inputs)


def unpacked(error: Exception, inputs: Any) -> str:
    """Return what to do if `call` took apart what the model wants whole; empty if it did not.

    Args:
        error: What the model raised.
        inputs: What it was called with.
    """
    apart = isinstance(inputs, (Mapping, tuple)) and isinstance(error, TypeError)
    if not apart or not any(x in str(error) for x in ("keyword argument", "positional argument")):
        return ""
    return (
        "A model is given a dict as keywords, one for each key, and a tuple as positions. One that "
        "takes the dict or tuple itself needs `forward=lambda model, example: model(example)`."
    )


def flatten(data: Any) -> list[Tensor]:
    """The tensors of a batch, in the order of a trace's data inputs."""
    return [x for x in pytree.tree_leaves(data) if isinstance(x, Tensor)]


def take_apart(data: Any) -> tuple[list[Tensor], Callable[[list[Any]], Any]]:
    """The tensors of a batch, and how to put others in their place.

    What stands there besides tensors (None, numbers, flags, words) stays as it is.

    Args:
        data: Tensors in tuples, lists and dicts.

    Raises:
        NotTraceable: If the batch holds an array of NumPy or an object that cannot be looked into.
    """
    leaves, form = pytree.tree_flatten(data)
    for x in leaves:
        if not (x is None or isinstance(x, (Tensor, *CONSTANTS))):
            raise NotTraceable(
                "An example is made of tensors in tuples, lists and dicts; None, numbers, flags "
                "and words beside them stay as they are.",
                got=type(x).__name__,
                remedy=_instead(x),
            )
    at = [k for k, x in enumerate(leaves) if isinstance(x, Tensor)]

    def rebuild(tensors: list[Any]) -> Any:
        held = list(leaves)
        for k, x in zip(at, tensors, strict=True):
            held[k] = x
        return pytree.tree_unflatten(held, form)

    return [leaves[k] for k in at], rebuild


def _instead(x: Any) -> str:
    if isinstance(x, np.ndarray):
        return "Make a tensor of it: torch.from_numpy(x)."
    if isinstance(x, Mapping):
        return "Make a dict of it: dict(example)."
    return (
        "Give its tensors, and `forward=`, a function (model, inputs) -> outputs that makes the "
        "object of them."
    )


def check_outputs(outputs: Any) -> None:
    """Refuse outputs in which tensors cannot be found.

    Raises:
        NotTraceable: If an output is an object that cannot be looked into.
    """
    for x in pytree.tree_leaves(outputs):
        if not (x is None or isinstance(x, (Tensor, *CONSTANTS))):
            raise NotTraceable(
                "The outputs of a network are tensors, also in tuples, lists and dicts.",
                got=type(x).__name__,
                remedy="Give `forward=`, a function (model, inputs) -> outputs that takes the "
                "tensors out of it, as `lambda model, x: model(x).logits` does.",
            )
