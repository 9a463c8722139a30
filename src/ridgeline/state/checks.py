"""States that are not of one network, or not finite, are refused."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ridgeline.errors import NonFinite, StateMismatch

__all__ = ["check_finite", "check_same", "non_finite"]


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
            remedy="Say which precision is meant: `state.cast(b, dtype)`, "
            "`load(path, dtype=...)`, or `--dtype float32` on the command line.",
        )


def non_finite(state: Mapping[str, Tensor]) -> dict[str, tuple[int, int]]:
    """Tensors that hold NaN or infinity: name to (number of NaN, number of infinities)."""
    found = {}
    for name, x in state.items():
        if x.is_floating_point() and not bool(torch.isfinite(x).all()):
            found[name] = (int(torch.isnan(x).sum()), int(torch.isinf(x).sum()))
    return found


def check_finite(state: Mapping[str, Tensor], where: str = "a state") -> None:
    """Refuse a state that holds NaN or infinity.

    Args:
        state: Names to tensors.
        where: What to call it in the message.

    Raises:
        NonFinite: Naming each tensor, with its counts.
    """
    if found := non_finite(state):
        raise NonFinite(where, found)
