"""Arithmetic on states.

A state is what `state_dict()` gives: names to tensors, and the only currency for a point.
Floating tensors are its coordinates. Other tensors (`num_batches_tracked`, index buffers)
are labels: they are compared and carried, never averaged. Running statistics are functions
of weights and data, not coordinates, so distances leave them out unless asked.

Sums are accumulated in float64, so a norm of a half-precision checkpoint is right.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ridgeline.errors import NonFinite, StateMismatch, UsageError

__all__ = [
    "Comparison",
    "State",
    "add",
    "angle",
    "capture",
    "cast",
    "check_finite",
    "check_same",
    "compare",
    "coordinates",
    "cosine",
    "distance",
    "dot",
    "is_statistic",
    "layers",
    "lerp",
    "mean",
    "non_finite",
    "norm",
    "place",
    "scale",
    "subtract",
    "tie",
    "ties",
    "wide",
]

State = dict[str, Tensor]
"""Names to tensors."""

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""Last parts of the names that normalisation layers give to their statistics."""


PIECE = 2**17
"""Coordinates that are summed at a time, in float64."""


def is_statistic(name: str) -> bool:
    """Whether a tensor of this name holds normalisation statistics."""
    return name.rpartition(".")[2] in STATISTICS


def capture(model: torch.nn.Module) -> State:
    """A copy of a module's state, sharing nothing with it but preserving its ties.

    Args:
        model: Any module.

    Returns:
        Every parameter and persistent buffer under each of its names; names that share
        a tensor in the module share one in the copy.
    """
    copies: dict[object, Tensor] = {}
    state: State = {}
    for name, tensor in model.state_dict().items():
        if place(tensor) not in copies:
            copies[place(tensor)] = tensor.clone()
        state[name] = copies[place(tensor)]
    return state


def cast(
    state: Mapping[str, Tensor],
    dtype: torch.dtype | None = None,
    device: str | torch.device | None = None,
) -> State:
    """The state with floating tensors in `dtype`, all on `device`; labels keep their type."""
    made: dict[object, Tensor] = {}  # names that share a tensor share its conversion
    for x in state.values():
        if place(x) not in made:
            made[place(x)] = x.to(device=device, dtype=dtype if x.is_floating_point() else None)
    return {name: made[place(x)] for name, x in state.items()}


def coordinates(state: Mapping[str, Tensor], *, statistics: bool = False) -> Iterator[str]:
    """Names of the tensors that place a state: floating, and no statistics unless asked.

    Of names that share one tensor only the first is given: a tied weight is one coordinate.
    """
    seen: set[object] = set()
    for name, x in state.items():
        counts = x.is_floating_point() and (statistics or not is_statistic(name))
        if counts and place(x) not in seen:
            seen.add(place(x))
            yield name


def layers(state: Mapping[str, Tensor]) -> dict[str, list[str]]:
    """The logical layers of a state, in its order.

    A layer is all tensors of one module: the names that share a prefix, weight and bias
    together (Adilova et al. 2023). Tensors of the root module bear their own name.

    Args:
        state: Names to tensors.

    Returns:
        Layer name to the names of its tensors; layers without a floating tensor are left out.
    """
    found: dict[str, list[str]] = {}
    for name in state:
        found.setdefault(name.rpartition(".")[0] or name, []).append(name)
    return {
        layer: names
        for layer, names in found.items()
        if any(state[name].is_floating_point() for name in names)
    }


# --- checks ------------------------------------------------------------------------------


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


def place(x: Tensor) -> object:
    """Where a tensor's values lie: equal for two tensors that are one in memory.

    `state_dict()` gives a tied weight as two objects on one storage, so that their identity
    does not tell.
    """
    memory = x.untyped_storage().data_ptr() if x.layout == torch.strided else 0
    if not memory or not x.numel():  # nothing is held: an empty, a sparse or a fake tensor
        return id(x)
    return x.device, memory, x.storage_offset(), x.shape, x.stride(), x.dtype


def ties(state: Mapping[str, Tensor]) -> list[tuple[str, ...]]:
    """Groups of names that share one tensor: same storage, place, shape and strides."""
    groups: dict[object, list[str]] = {}
    for name, x in state.items():
        groups.setdefault(place(x), []).append(name)
    return [tuple(names) for names in groups.values() if len(names) > 1]


def tie(state: State, names: Mapping[str, str]) -> State:
    """Put one tensor under all of its names, in place.

    Args:
        state: Names to tensors.
        names: Other names of tensors to their first ones; those not in the state are left out.
    """
    for other, first in names.items():
        if other in state and first in state:
            state[other] = state[first]
    return state


# --- arithmetic --------------------------------------------------------------------------


def _combine(
    a: Mapping[str, Tensor], b: Mapping[str, Tensor], function: Callable[[Tensor, Tensor], Tensor]
) -> State:
    check_same(a, b)
    made: dict[object, Tensor] = {}  # names that are tied in both stay tied
    for name, x in a.items():
        key = place(x), place(b[name])
        if x.is_floating_point() and key not in made:
            made[key] = function(wide(x), wide(b[name])).to(x.dtype)
    return {
        name: made[place(x), place(b[name])] if x.is_floating_point() else x
        for name, x in a.items()
    }


def wide(x: Tensor) -> Tensor:
    """At least float32: half precision loses a third of its digits in one subtraction."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def lerp(a: Mapping[str, Tensor], b: Mapping[str, Tensor], t: float) -> State:
    """The state (1 - t) a + t b, exactly `a` at 0 and `b` at 1; labels come from the nearer end."""
    if t in (0, 1):
        check_same(a, b)
        return dict(b if t else a)
    mixed = _combine(a, b, lambda x, y: torch.lerp(x, y, float(t)))
    return {k: (b[k] if t >= 0.5 and not x.is_floating_point() else x) for k, x in mixed.items()}


def add(a: Mapping[str, Tensor], b: Mapping[str, Tensor], alpha: float = 1.0) -> State:
    """The state a + alpha b; labels come from `a`."""
    return _combine(a, b, lambda x, y: torch.add(x, y, alpha=alpha))


def subtract(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> State:
    """The displacement a - b; labels come from `a`."""
    return _combine(a, b, torch.sub)


def scale(a: Mapping[str, Tensor], factor: float) -> State:
    """The state with every floating tensor multiplied by `factor`."""
    return _combine(a, a, lambda x, _: x * factor)


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
        if x.is_floating_point() and keys[name] not in made:
            first = x.double()
            away = torch.zeros_like(first)
            for other in states[1:]:
                away += (other[name].to(first) - first) / len(states)
            made[keys[name]] = torch.where(away == 0, x, (first + away).to(x.dtype))
    return {n: made.get(keys[n], x) for n, x in states[0].items()}


def _pieces(*tensors: Tensor) -> Iterator[list[Tensor]]:
    """The same stretches of several tensors, flat and in float64, a megabyte at a time.

    A whole tensor in float64 would be twice the size of the float32 state's own.
    """
    for parts in zip(*(x.flatten().split(PIECE) for x in tensors), strict=True):
        yield [part.double() for part in parts]


def dot(
    a: Mapping[str, Tensor], b: Mapping[str, Tensor], *, names: Iterable[str] | None = None
) -> float:
    """The inner product over coordinates, or over the given names, in float64."""
    chosen = coordinates(a) if names is None else names
    return sum(float(x @ y) for n in chosen for x, y in _pieces(a[n], b[n]))


def norm(a: Mapping[str, Tensor], *, names: Iterable[str] | None = None) -> float:
    """The Euclidean norm over coordinates, or over the given names."""
    return dot(a, a, names=names) ** 0.5


def distance(
    a: Mapping[str, Tensor], b: Mapping[str, Tensor], *, names: Iterable[str] | None = None
) -> float:
    """The Euclidean distance over coordinates, or over the given names."""
    chosen = list(coordinates(a) if names is None else names)
    squares = (float((x - y).square().sum()) for n in chosen for x, y in _pieces(a[n], b[n]))
    return sum(squares) ** 0.5


def cosine(
    a: Mapping[str, Tensor],
    b: Mapping[str, Tensor],
    *,
    origin: Mapping[str, Tensor] | None = None,
    names: Iterable[str] | None = None,
) -> float:
    """The cosine between a - origin and b - origin; NaN when either is zero.

    Args:
        a: A state.
        b: Another.
        origin: Where the two arrows start; the zero state by default.
        names: Tensors to take; coordinates by default.

    Returns:
        A number in [-1, 1].
    """
    chosen = list(coordinates(a) if names is None else names)
    ab = aa = bb = 0.0
    for n in chosen:
        for x, y, *o in _pieces(a[n], b[n], *([] if origin is None else [origin[n]])):
            p, q = (x - o[0], y - o[0]) if o else (x, y)
            ab, aa, bb = ab + float(p @ q), aa + float(p @ p), bb + float(q @ q)
    if aa == 0 or bb == 0:
        return float("nan")
    return max(-1.0, min(1.0, ab / (aa * bb) ** 0.5))


def angle(
    a: Mapping[str, Tensor],
    b: Mapping[str, Tensor],
    *,
    origin: Mapping[str, Tensor] | None = None,
    names: Iterable[str] | None = None,
) -> float:
    """The angle in radians between a - origin and b - origin, in [0, pi]."""
    return math.acos(cosine(a, b, origin=origin, names=names))


@dataclass(frozen=True)
class Comparison:
    """How far apart two states are, over all their coordinates or over one layer of them."""

    size: int
    """Number of coordinates."""
    norm_a: float
    norm_b: float
    distance: float
    """Euclidean distance."""
    cosine: float
    """Of the two as arrows from zero; NaN when either is zero."""

    @property
    def relative(self) -> float:
        """Distance over the norm of `a` (`nwd` of Lucas et al. 2021 when a is initialisation)."""
        return self.distance / self.norm_a if self.norm_a else float("nan")


def compare(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> dict[str, Comparison]:
    """How far apart two states are: layer by layer, and under the name ``""`` as wholes.

    Args:
        a: A state.
        b: Another with the same tensors.

    Returns:
        Layer name to its comparison, in the order of the state; the whole comes last.

    Raises:
        StateMismatch: If the tensors differ in name, shape or dtype.
        UsageError: If there are no coordinates.
    """
    check_same(a, b)
    counted = set(coordinates(a))
    if not counted:
        raise UsageError("A comparison needs at least one floating tensor.", got=f"{list(a)[:10]}")
    groups = {layer: [n for n in names if n in counted] for layer, names in layers(a).items()}
    groups = {layer: names for layer, names in groups.items() if names} | {"": sorted(counted)}
    return {
        layer: Comparison(
            size=sum(a[n].numel() for n in names),
            norm_a=norm(a, names=names),
            norm_b=norm(b, names=names),
            distance=distance(a, b, names=names),
            cosine=cosine(a, b, names=names),
        )
        for layer, names in groups.items()
    }
