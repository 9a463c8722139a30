"""Refusing what is no state, not of one network, or not finite."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from ridgeline.errors import Argument, NonFinite, Remedy, StateMismatch, UsageError, WrongKind
from ridgeline.state.kinds import is_continuous, is_mask, unusable
from ridgeline.state.types import in_one_type

__all__ = ["check_finite", "check_same", "check_state", "check_states", "detached", "non_finite"]


def check_state(state: object, name: str = "a state") -> None:
    """Refuse what is no state.

    Args:
        state: Whatever was given as one.
        name: What to call it in the message.

    Raises:
        UsageError: If it is no mapping of names to tensors, or an empty one, or if a tensor holds
            no numbers to compute with: sparse, quantised, on no device.
    """
    fits = isinstance(state, Mapping) and all(isinstance(x, Tensor) for x in state.values())
    if not fits or not state:
        rule = "A state maps names to tensors, and is not empty."
        raise WrongKind(rule, state, name=name, remedy=_remedy(state))
    if found := unusable(cast(Mapping[str, Tensor], state)):
        shown = ", ".join(f"{n} ({what})" for n, what in list(found.items())[:5])
        raise UsageError(
            "The tensors of a state are dense and hold numbers.",
            got=f"{name} with {shown}",
            remedy="Convert them first: to_dense(), dequantize(), or a module with its values.",
        )


def _remedy(given: object) -> str:
    """Words on the place of the state that was meant."""
    if isinstance(given, nn.Module):
        return "Give the module's state: `rl.state.capture(model)`."
    if isinstance(given, str | os.PathLike):
        return "Read the file: `rl.load(path)`."
    if isinstance(given, Mapping):
        odd = next((n for n, x in given.items() if not isinstance(x, Tensor)), None)
        holds = f"{odd!r} is no tensor: " if given else ""
        return f"{holds}`rl.load(path)` finds the state in a checkpoint's file."
    for part in ("state", "states"):
        if hasattr(given, part):
            return f"Give what it holds: `.{part}`."
    return "Check the order of the arguments; a state is what `rl.load(path)` gives."


def detached(state: Mapping[str, Tensor], name: str = "a state") -> dict[str, Tensor]:
    """The same values without their history, for states that were taken from parameters.

    Args:
        state: Names to tensors.
        name: What to call it in the message.

    Raises:
        UsageError: If it is no state.
    """
    check_state(state, name)
    return {key: x.detach() for key, x in state.items()}


def check_states(
    given: Iterable[Mapping[str, Tensor]], least: int = 1, *, stacklevel: int = 1
) -> tuple[dict[str, Tensor], ...]:
    """Several states of one network, without their history, and in one type each name.

    Args:
        given: The states, in order.
        least: How many there must be.
        stacklevel: As in `warnings.warn`, counted from the caller.

    Raises:
        UsageError: If it is no list of so many states.
        StateMismatch: If their tensors differ.
        NonFinite: If one holds NaN or infinity.
    """
    rule = "Several states are given as a list."
    if isinstance(given, Mapping):
        nested = any(isinstance(x, Mapping) for x in given.values())
        remedy = "Give `list(states.values())`." if nested else "One state: `[state]`."
        raise WrongKind(rule, given, name="states", remedy=remedy)
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise WrongKind(rule, given, name="states", remedy=_remedy(given))
    found = tuple(detached(x, f"state {i}") for i, x in enumerate(given))
    if len(found) < least:
        many = "one state" if least == 1 else f"{least} states"
        raise UsageError(f"There must be {many} at least.", got=str(len(found) or "none"))
    found = in_one_type(found, stacklevel=stacklevel + 1)
    for i, x in enumerate(found):
        check_same(found[0], x, names=("state 0", f"state {i}"))
        check_finite(x, f"state {i}", among=found[:] if found[1:] else ())
    return found


def check_same(
    a: Mapping[str, Tensor],
    b: Mapping[str, Tensor],
    *,
    names: tuple[str, str] = ("a", "b"),
) -> None:
    """Refuse two states that differ in names, shapes or dtypes.

    Args:
        a: A state.
        b: Another.
        names: What to call them in the message.

    Raises:
        StateMismatch: With a diff of at most ten lines. A difference in floating dtype alone
            is refused too: which precision is meant is for the caller to say.
    """
    shape = lambda x: tuple(x.shape)  # noqa: E731 (used four times in the next lines)
    missing = {k: shape(x) for k, x in a.items() if k not in b}
    extra = {k: shape(x) for k, x in b.items() if k not in a}
    shared = [k for k in a if k in b]
    changed: dict[str, tuple[object, object]] = {
        k: (shape(a[k]), shape(b[k])) for k in shared if a[k].shape != b[k].shape
    }
    if missing or extra or changed:
        raise StateMismatch(missing=missing, extra=extra, changed=changed, a=names[0], b=names[1])
    dtypes: dict[str, tuple[object, object]] = {
        k: (a[k].dtype, b[k].dtype) for k in shared if a[k].dtype != b[k].dtype
    }
    if dtypes:
        raise StateMismatch(
            changed=dtypes,
            a=names[0],
            b=names[1],
            remedy=Remedy(
                "Say which precision is meant: `{}`, or `state.cast(b, dtype)`.",
                Argument("dtype", "float32", "load(path, dtype=torch.float32)"),
            ),
        )


def non_finite(state: Mapping[str, Tensor]) -> dict[str, tuple[int, int]]:
    """Tensors that hold NaN or infinity: name to (number of NaN, number of infinities)."""
    found = {}
    for name, x in state.items():
        if x.is_floating_point() and x.itemsize == 1:
            x = x.float()  # noqa: PLW2901 (torch asks nothing of 8-bit floats)
        if is_continuous(x) and not bool(torch.isfinite(x).all()):
            found[name] = (int(torch.isnan(x).sum()), int(torch.isinf(x).sum()))
    return found


def check_finite(
    state: Mapping[str, Tensor],
    where: str = "a state",
    *,
    among: Sequence[Mapping[str, Tensor]] = (),
) -> None:
    """Refuse a state that holds NaN, or infinity other than that of a mask.

    Args:
        state: Names to tensors.
        where: What to call it in the message.
        among: Other states: infinities that all of them have in the same places may be there.

    Raises:
        NonFinite: Naming each tensor, with its counts.
    """
    counts = non_finite(state)
    if found := {n: c for n, c in counts.items() if c[0] or not _may_be_infinite(n, state, among)}:
        raise NonFinite(where, found)


def _may_be_infinite(
    name: str, state: Mapping[str, Tensor], among: Sequence[Mapping[str, Tensor]]
) -> bool:
    x = state[name]
    if not among:
        return is_mask(name, x)
    infinite = x.isinf()
    return all(
        bool((y.isinf() == infinite).all()) and bool((y[infinite] == x[infinite]).all())
        for y in (other[name].to(x.device) for other in among)
    )
