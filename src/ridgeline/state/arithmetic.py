"""Sums, means and interpolations of states."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.state.checks import check_same
from ridgeline.state.kinds import double, finitely, is_continuous
from ridgeline.state.naming import State
from ridgeline.state.sharing import place
from ridgeline.state.spectral import renewed

__all__ = ["add", "lerp", "mean", "scale", "subtract", "wide"]


def _combine(
    a: Mapping[str, Tensor], b: Mapping[str, Tensor], function: Callable[[Tensor, Tensor], Tensor]
) -> State:
    check_same(a, b)
    made: dict[object, Tensor] = {}  # names that are tied in both stay tied
    for name, x in a.items():
        key = place(x), place(b[name])
        if is_continuous(x) and key not in made:
            made[key] = finitely(function, wide(x), wide(b[name])).to(x.dtype)
    return {
        name: made[place(x), place(b[name])] if is_continuous(x) else x for name, x in a.items()
    }


def wide(x: Tensor) -> Tensor:
    """At least float32: half precision loses a third of its digits in one subtraction."""
    return x.float() if x.is_floating_point() and x.itemsize < 4 else x


def lerp(a: Mapping[str, Tensor], b: Mapping[str, Tensor], t: float) -> State:
    """The state (1 - t) a + t b, exactly `a` at 0 and `b` at 1; labels come from the nearer end.

    Vectors of spectral normalisation between the ends are those of the weight there.
    """
    if t in (0, 1):
        check_same(a, b)
        return dict(b if t else a)
    mixed = _combine(a, b, lambda x, y: torch.lerp(x, y, float(t)))
    held = {k: (b[k] if t >= 0.5 and not is_continuous(x) else x) for k, x in mixed.items()}
    return renewed(held, a)


def add(a: Mapping[str, Tensor], b: Mapping[str, Tensor], alpha: float = 1.0) -> State:
    """The state a + alpha b; labels come from `a`."""
    return _combine(a, b, lambda x, y: torch.add(x, y, alpha=alpha))


def subtract(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> State:
    """The displacement a - b; labels come from `a`."""
    return _combine(a, b, _difference)


def scale(a: Mapping[str, Tensor], factor: float) -> State:
    """The state with every floating tensor multiplied by `factor`."""
    return _combine(a, a, lambda x, _: x * factor)


def _centre(first: Tensor, *others: Tensor) -> Tensor:
    x = double(first)
    away = torch.zeros_like(x)
    for other in others:
        away += (other.to(x) - x) / (1 + len(others))
    # Equal values keep their bits; in float64, as no 8-bit float can be chosen by `where`.
    return torch.where(away == 0, x, x + away).to(first.dtype)


def _difference(x: Tensor, y: Tensor) -> Tensor:
    away = x - y
    return away.masked_fill((x == y) & x.isinf(), 0) if bool(away.isnan().any()) else away


def mean(states: Sequence[Mapping[str, Tensor]]) -> State:
    """The mean of states, in float64: ``x_0 + sum_i (x_i - x_0) / k``, so that equal ones stay.

    Names that share one tensor in every state share the mean; labels are those of the first.

    Args:
        states: One at least, with the same tensors.

    Raises:
        UsageError: If there is none.
        StateMismatch: If tensors differ in name, shape or dtype.
    """
    if not states:
        raise UsageError("A mean is of one state at least.", got="none")
    made: dict[object, Tensor] = {}
    for other in states[1:]:
        check_same(states[0], other)
    keys = {n: tuple(place(s[n]) for s in states) for n in states[0]}
    for name, x in states[0].items():
        if is_continuous(x) and keys[name] not in made:
            made[keys[name]] = finitely(_centre, *(s[name] for s in states))
    return renewed({n: made.get(keys[n], x) for n, x in states[0].items()}, states[0])
