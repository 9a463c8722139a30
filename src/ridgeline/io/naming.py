"""Fitting a state to a model: prefixes, names that share a tensor, a diff of the rest."""

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ridgeline.errors import CheckpointError, RidgelineWarning, StateMismatch
from ridgeline.io.conversion import converted
from ridgeline.io.nesting import same_tensor
from ridgeline.io.prefixes import AVERAGES, Matched, is_beside, match
from ridgeline.numerals import several
from ridgeline.state import State, is_extra, tensors_of

__all__ = ["fit"]


def fit(state: State, model: nn.Module, *, where: str, tell: bool = True) -> State:
    """The state under the model's names, in the model's order.

    Only this is supplied or left out: a name that shares its tensor with a present one is
    shared; a missing `num_batches_tracked` (files from before torch 0.4.1) is the model's; what the
    module's own loading makes of older names; the averaging wrapper's count `n_averaged` and copies
    of non-persistent buffers are left out. So is, with a warning, what lies beside the network: a
    criterion, metrics, averages, and what is outside of the prefix under which all of it is.

    Args:
        state: As read.
        model: Where it shall go; its values are not changed.
        where: The file, for messages.
        tell: Warn of what is left out.

    Returns:
        A new state whose names are exactly those of the model.

    Raises:
        StateMismatch: With a diff of names and shapes.
        CheckpointError: If names that are one tensor in the model have different values, or the
            network is there under several prefixes with different values.
    """
    own = tensors_of(model)
    found = match(state, own)
    _refuse_several(state, found, own, where)
    renamed = {new: state[old] for old, new in found.names.items()}
    lacking = {
        old: new for old, new in found.inside.items() if not _says_nothing(state[old], new, model)
    }
    _complete(renamed, own, where)
    foreign = {old: new for old, new in lacking.items() if not is_beside(new, own)}
    if foreign or any(n not in renamed for n in own) or _changed(renamed, own):
        if _may_convert(renamed, own) and (made := _by_itself(state, found, model)) is not None:
            renamed, unused = made
            foreign = {old: new for old, new in foreign.items() if new in unused}
        else:
            foreign |= {old: old for old in found.outside if not is_beside(old, own)}
        _check(renamed, {new: state[old] for old, new in foreign.items()}, own, where)
    if tell:
        beside = [old for old, new in lacking.items() if is_beside(new, own)]
        _tell_left([*(n for n in found.outside if n != "n_averaged"), *beside], where)
        _tell_extra(state, found.prefix, model, where)
    return {name: renamed[name] for name in own}


def _refuse_several(state: State, found: Matched, own: Mapping[str, Tensor], where: str) -> None:
    """Refuse a file in which the whole network is several times, with different values."""
    if len(found.names) < len(own):
        return
    back = {new: old for old, new in found.names.items()}
    for prefix in found.others:
        other = match({n: x for n, x in state.items() if n.startswith(prefix)}, own).names
        if any(not same_tensor(state[old], state[back[new]]) for old, new in other.items()):
            choices = (found.prefix, *found.others)
            shown = ", ".join(choice.rstrip(".") for choice in choices)
            raise CheckpointError(
                "A checkpoint that holds several states must be told which one is meant.",
                got=f"{where}, in which all of the model's tensors are under {shown}",
                remedy=f"Choose one: key={choices[0].rstrip('.')!r}, or "
                f"{where}:{choices[0].rstrip('.')} on the command line.",
            )


def _says_nothing(x: Tensor, name: str, model: nn.Module) -> bool:
    """True if a tensor says nothing that the model does not say itself."""
    if name == "n_averaged":
        return x.ndim == 0
    own = next((b for n, b in model.named_buffers(remove_duplicate=False) if n == name), None)
    return own is not None and same_tensor(x, own.detach().cpu())


def _complete(state: State, own: Mapping[str, Tensor], where: str) -> None:
    """Make tensors that a file may leave out, or have in another form, as the model has them."""
    _share(state, own, where)
    for name, x in own.items():
        if x.ndim == 0 and name in state and state[name].shape == (1,):
            state[name] = state[name].reshape(())  # a scalar, as torch before 0.4 has it
        if name.rpartition(".")[2] != "num_batches_tracked":
            continue
        if name not in state:
            none = torch.zeros_like(x, device="cpu") if x.is_meta else x.detach().clone()
            state[name] = none
        elif state[name].is_floating_point() and not x.is_floating_point():
            state[name] = state[name].to(x.dtype)


def _may_convert(state: State, own: Mapping[str, Tensor]) -> bool:
    """True if a module may be asked: it would cast labels, and take the first of many for one."""
    both = [(x, own[n]) for n, x in state.items() if n in own]
    kind = all(x.is_floating_point() == y.is_floating_point() for x, y in both)
    return kind and not any(y.ndim == 0 and x.ndim == 1 for x, y in both)


def _by_itself(state: State, found: Matched, model: nn.Module) -> tuple[State, set[str]] | None:
    """Return what the module's own loading makes of the tensors under the prefix."""
    given = {new: state[old] for old, new in [*found.names.items(), *found.inside.items()]}
    versions = getattr(state, "versions", None)
    if versions is not None:
        cut = found.prefix.rstrip(".")
        versions = {
            k[len(cut) :].lstrip("."): v
            for k, v in versions.items()
            if not cut or k == cut or k.startswith(found.prefix)
        }
    return converted(given, model, versions)


def _tell_left(names: list[str], where: str) -> None:
    """Tell which tensors were left out."""
    if not names:
        return
    averages = sum(AVERAGES.search(n) is not None for n in names)
    kinds: dict[str, int] = {}
    for name in names:
        kinds[name.partition(".")[0]] = kinds.get(name.partition(".")[0], 0) + 1
    shown = ", ".join(f"{n} ({count})" for n, count in list(kinds.items())[:8])
    of = f", {averages} of them averages" if averages else ""
    warnings.warn(
        f"{where}: {several(len(names), 'tensor')} beside the model's left out{of}: {shown}.",
        RidgelineWarning,
        stacklevel=5,
    )


def _tell_extra(state: State, prefix: str, model: nn.Module, where: str) -> None:
    """Tell of layers whose extra state in the file is not the model's."""
    kept = getattr(state, "extras", {})
    if not kept:
        return
    own = {n: x for n, x in model.state_dict().items() if is_extra(n)}
    theirs = {n.removeprefix(prefix): x for n, x in kept.items()}
    differ = [n for n, x in own.items() if n in theirs and not _alike(x, theirs[n])]
    if differ:
        more = f" and {len(differ) - 5} more" if len(differ) > 5 else ""
        warnings.warn(
            f"{where}: {', '.join(differ[:5])}{more} is not the model's. Extra state is no tensor: "
            "it lies on no path, and every state is measured with the model's own. Build the model "
            "with what the file has, if it is needed.",
            RidgelineWarning,
            stacklevel=5,
        )


def _alike(a: Any, b: Any) -> bool:
    """True if two values of any kind are equal; what cannot be compared is not."""
    try:
        if isinstance(a, Tensor) or isinstance(b, Tensor):
            return isinstance(a, Tensor) and isinstance(b, Tensor) and same_tensor(a.cpu(), b.cpu())
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            return a.keys() == b.keys() and all(_alike(x, b[k]) for k, x in a.items())
        if isinstance(a, list | tuple) and isinstance(b, list | tuple):
            return len(a) == len(b) and all(map(_alike, a, b))
        return bool(a == b)
    except Exception:  # an object's own comparison
        return False


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


def _changed(state: State, own: Mapping[str, Tensor]) -> dict[str, tuple[object, object]]:
    changed: dict[str, tuple[object, object]] = {}
    for name, x in own.items():
        if name not in state:
            continue
        if state[name].shape != x.shape:
            changed[name] = (tuple(x.shape), tuple(state[name].shape))
        elif state[name].is_floating_point() != x.is_floating_point():
            changed[name] = (x.dtype, state[name].dtype)
    return changed


def _check(
    state: State, foreign: Mapping[str, Tensor], own: Mapping[str, Tensor], where: str
) -> None:
    changed = _changed(state, own)
    missing = {name: tuple(x.shape) for name, x in own.items() if name not in state}
    extra = {name: tuple(x.shape) for name, x in foreign.items()}
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
