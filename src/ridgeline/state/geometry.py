"""Norms, distances and angles of states; sums are in float64."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.state.checks import check_same
from ridgeline.state.naming import coordinates, layers

__all__ = ["Comparison", "angle", "compare", "cosine", "distance", "dot", "norm"]

PIECE = 2**17
"""Coordinates that are summed at a time, in float64."""


def _pieces(*tensors: Tensor) -> Iterator[list[Tensor]]:
    """The same stretches of several tensors, flat and in float64, a megabyte at a time.

    A whole tensor in float64 would be twice the size of the float32 state's own. Complex numbers
    are two reals, so that products are the real parts of Hermitian ones. Where all hold minus
    infinity, as masks do, there is nothing to tell.
    """
    real = [torch.view_as_real(x.resolve_conj()) if x.is_complex() else x for x in tensors]
    for parts in zip(*(x.flatten().split(PIECE) for x in real), strict=True):
        wide = [part.double() for part in parts]
        if not all(bool(x.isfinite().all()) for x in wide):
            masked = torch.stack([x == -torch.inf for x in wide]).all(0)
            wide = [x.masked_fill(masked, 0) for x in wide]
        yield wide


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
    """Distances of two states, over all their coordinates or over one layer of them."""

    size: int
    """Number of coordinates; of a complex one two."""
    norm_a: float
    norm_b: float
    distance: float
    """Euclidean distance."""
    cosine: float
    """Cosine of the two as arrows from zero; NaN when either is zero."""

    @property
    def relative(self) -> float:
        """Distance over the norm of `a` (`nwd` of Lucas et al. 2021 when a is initialisation)."""
        return self.distance / self.norm_a if self.norm_a else float("nan")


def compare(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> dict[str, Comparison]:
    """Return the distances of two states: layer by layer, and under ``""`` as wholes.

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
            size=sum(a[n].numel() * (2 if a[n].is_complex() else 1) for n in names),
            norm_a=norm(a, names=names),
            norm_b=norm(b, names=names),
            distance=distance(a, b, names=names),
            cosine=cosine(a, b, names=names),
        )
        for layer, names in groups.items()
    }
