"""Names and tensors of older checkpoints, which a module's own loading turns into today's."""

import copy
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ridgeline.state import State, is_extra, tensors_of

__all__ = ["converted"]


def converted(
    state: Mapping[str, Tensor], model: nn.Module, versions: Mapping[str, Any] | None
) -> tuple[State, set[str]] | None:
    """A state as the module itself reads it: by its hooks and `_load_from_state_dict`.

    Args:
        state: Under the model's names, or older ones of theirs.
        model: Copied; neither its values nor its hooks' records are changed.
        versions: What `state_dict()` says of each module's version, if it is known.

    Returns:
        The state, and the names of what the module made nothing of. None if tensors are missing,
        or do not fit.
    """
    floating = {x.dtype for x in state.values() if x.is_floating_point()}
    try:
        copied = copy.deepcopy(model).to("cpu")
        if len(floating) == 1:  # what is read keeps its type
            copied = copied.to(floating.pop())
        given: OrderedDict[str, Any] = OrderedDict((k, x.clone()) for k, x in state.items())
        if versions is not None:
            given._metadata = versions  # type: ignore[attr-defined]  # as `state_dict()` does
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # about what is old: it is what is asked for
            missing, unexpected = copied.load_state_dict(given, strict=False)
    except Exception:  # a module that cannot be copied, or tensors that do not fit: as without
        return None
    if any(not is_extra(name) for name in missing):
        return None
    return {n: x.detach() for n, x in tensors_of(copied).items()}, set(unexpected)
