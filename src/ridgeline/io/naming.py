"""Fitting a state to a model: wrappers' prefixes, names that share a tensor, a diff of the rest."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ridgeline.errors import CheckpointError, StateMismatch
from ridgeline.io.nesting import same_tensor
from ridgeline.state import State, tensors_of

__all__ = ["fit", "names_in"]

WRAPPERS = ("module.", "model.")
"""What DataParallel and Lightning put before every name. `_orig_mod.`, which `torch.compile`
puts wherever it was applied, is a name no network uses and is removed everywhere."""


def fit(state: State, model: nn.Module, *, where: str) -> State:
    """The state under the model's names, in the model's order.

    Only this is supplied or left out: a name that shares its tensor with a present one is
    shared; a missing `num_batches_tracked` (files from before torch 0.4.1) is the model's; the
    averaging wrapper's count `n_averaged` and copies of non-persistent buffers are left out.

    Args:
        state: As read.
        model: Where it shall go; its values are not changed.
        where: The file, for messages.

    Returns:
        A new state whose names are exactly those of the model.

    Raises:
        StateMismatch: With a diff of names and shapes.
        CheckpointError: If names that are one tensor in the model have different values.
    """
    own = tensors_of(model)
    renamed = _rename(state, own)
    _drop_redundant(renamed, own, model)
    _share(renamed, own, where)
    for name, x in own.items():
        if name not in renamed and name.rpartition(".")[2] == "num_batches_tracked":
            renamed[name] = (
                x.detach().clone() if not x.is_meta else torch.zeros_like(x, device="cpu")
            )
    _check(renamed, own, where)
    return {name: renamed[name] for name in own}


def names_in(model: nn.Module, state: State) -> dict[str, str]:
    """What the model calls each tensor of a state, wrappers' prefixes resolved as in `fit`.

    Args:
        model: The network.
        state: As read.

    Returns:
        Name in the state to name in the model, or to itself where the model has none.
    """
    own = tensors_of(model)
    return _renaming(state, own)


def _rename(state: State, own: Mapping[str, Tensor]) -> State:
    return {new: state[old] for old, new in _renaming(state, own).items()}


def _renaming(state: State, own: Mapping[str, Tensor]) -> dict[str, str]:
    """Strip wrappers from either side until the most names agree; the fewest strips win a draw."""
    best, result = (-1, -1, 1), {name: name for name in state}
    for i, theirs in enumerate(_strips(state)):
        for j, ours in enumerate(_strips(own)):
            back = {stripped: name for name, stripped in ours.items()}
            renamed = {old: back.get(new, new) for old, new in theirs.items()}
            if len(set(renamed.values())) < len(state):
                continue
            shared = [old for old, new in renamed.items() if new in own]
            alike = sum(state[old].shape == own[renamed[old]].shape for old in shared)
            if (score := (alike, len(shared), -(i + j))) > best:
                best, result = score, renamed
    return result


def _strips(names: Mapping[str, Tensor]) -> list[dict[str, str]]:
    """Names to shorter names: as they are, then with one wrapper more removed each time."""
    steps = [{name: name for name in names}]
    current = {name: name.replace("_orig_mod.", "") for name in names}
    while True:
        if current != steps[-1]:
            if len(set(current.values())) < len(names):  # two names would become one
                return steps
            steps.append(current)
        counts = {w: sum(n.startswith(w) for n in current.values()) for w in WRAPPERS}
        wrapper = max(counts, key=lambda w: counts[w])
        if not counts[wrapper]:
            return steps
        current = {old: new.removeprefix(wrapper) for old, new in current.items()}


def _drop_redundant(state: State, own: Mapping[str, Tensor], model: nn.Module) -> None:
    """Leave out what says nothing that the model does not say itself."""
    if "n_averaged" in state and "n_averaged" not in own and state["n_averaged"].ndim == 0:
        del state["n_averaged"]
    for name, buffer in model.named_buffers(remove_duplicate=False):
        if name not in own and name in state and same_tensor(state[name], buffer.detach().cpu()):
            del state[name]


def _share(state: State, own: Mapping[str, Tensor], where: str) -> None:
    """Names that are one tensor in the model become one in the state."""
    groups: dict[int, list[str]] = {}
    for name, x in own.items():
        groups.setdefault(id(x), []).append(name)
    for names in groups.values():
        present = [name for name in names if name in state]
        if len(names) < 2 or not present:
            continue
        first = state[present[0]]
        for name in present[1:]:
            if not same_tensor(first, state[name]):
                raise CheckpointError(
                    "Names that are one tensor in the model must have one value in a checkpoint.",
                    got=f"{present[0]} and {name} differ in {where}",
                    remedy="Build the model without tying them, or give a checkpoint that does.",
                )
        state |= dict.fromkeys(names, first)


def _check(state: State, own: Mapping[str, Tensor], where: str) -> None:
    changed: dict[str, tuple[object, object]] = {}
    for name, x in own.items():
        if name not in state:
            continue
        if state[name].shape != x.shape:
            changed[name] = (tuple(x.shape), tuple(state[name].shape))
        elif state[name].is_floating_point() != x.is_floating_point():
            changed[name] = (x.dtype, state[name].dtype)
    missing = {name: tuple(x.shape) for name, x in own.items() if name not in state}
    extra = {name: tuple(x.shape) for name, x in state.items() if name not in own}
    if missing or extra or changed:
        raise StateMismatch(
            missing=missing,
            extra=extra,
            changed=changed,
            a="the model",
            b=where,
            remedy="Build the model with the arguments it was trained with, or give the "
            "checkpoint that belongs to it. Prefixes of wrappers were resolved already.",
        )
