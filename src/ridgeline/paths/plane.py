"""Planes of states: through three, or along two random directions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridgeline import rng
from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.paths.base import check_moving, check_points
from ridgeline.paths.combination import Combination
from ridgeline.state import State

__all__ = ["Plane", "random_direction"]


@dataclass(frozen=True, eq=False)
class Plane:
    """The plane through three states, with coordinates in units of distance.

    `a` is the origin, the x axis points to `b`, and `c` lies at positive y, as in Garipov
    et al. (2018). Distances between projections of states are distances in weight space. Of a
    plane about one state (`random`) the coordinates are in units of the two directions.

    Args:
        a: Origin.
        b: On the positive x axis.
        c: Above it.

    Raises:
        StateMismatch: If the tensors differ.
        NonFinite: If a state holds NaN or infinity.
        UsageError: If the three lie on one line.
    """

    a: State
    b: State
    c: State
    corners: NDArray[np.float64] = field(init=False, repr=False)
    """Coordinates of a, b and c, shape (3, 2)."""
    centred: bool = field(init=False, default=False)
    """True if it is about `a`, along two directions from it."""
    unit: str = field(init=False, default="distance in weight space")
    """Of the coordinates, in words."""

    def __post_init__(self) -> None:
        points = check_points((self.a, self.b, self.c), "abc", stacklevel=3)
        for name, point in zip("abc", points, strict=True):
            object.__setattr__(self, name, point)
        check_moving((self.a, self.b, self.c), stacklevel=3)
        along = states.distance(self.a, self.b)
        across = states.distance(self.a, self.c)
        cosine = states.cosine(self.b, self.c, origin=self.a)
        height = across * max(0.0, 1 - cosine**2) ** 0.5 if along and across else 0.0
        if height <= 1e-6 * max(along, across, 1e-300):
            raise UsageError(
                "Three states span a plane only if they do not lie on one line.",
                got=f"|b-a|={along:.3g}, |c-a|={across:.3g}, height of c over ab {height:.3g}",
            )
        corners = np.array([[0, 0], [along, 0], [across * cosine, height]])
        object.__setattr__(self, "corners", corners)

    @classmethod
    def random(
        cls,
        centre: State,
        *,
        seed: int = 0,
        normalise: Literal["filter", "layer", "none"] = "filter",
        ignore: Literal["vectors", "nothing"] = "vectors",
    ) -> "Plane":
        """A plane through `centre` along two random directions (Li et al. 2018).

        Args:
            centre: State at (0, 0).
            seed: Names the two directions.
            normalise: What has the norm of the corresponding part of the centre: each filter
                (slice of the first axis), each tensor, or nothing.
            ignore: Whether tensors with fewer than two axes (biases, norms' gains) stay, which
                is Li et al.'s choice, or move too.

        Returns:
            A plane; (x, y) is the centre with x times the first direction and y times the second
            added, so that at 1 each filter has moved by as much as it is long. Two random
            directions are nearly at right angles, and drawn as if they were.
        """
        ends = [
            states.add(
                centre,
                random_direction(centre, seed=seed, index=i, normalise=normalise, ignore=ignore),
            )
            for i in range(2)
        ]
        plane = cls(centre, *ends)
        unit = {"filter": "filter norms", "layer": "norms of tensors"}.get(normalise, "directions")
        object.__setattr__(plane, "corners", np.array([[0.0, 0], [1, 0], [0, 1]]))
        object.__setattr__(plane, "centred", True)
        object.__setattr__(plane, "unit", f"along a random direction, in {unit}")
        return plane

    def combination(self, points: Sequence[Sequence[float]] | NDArray[np.floating]) -> Combination:
        """The plane at K positions.

        Args:
            points: Coordinates, shape (K, 2).

        Returns:
            K states over the basis (a, b, c), with barycentric coefficients.
        """
        xy = np.asarray(points, dtype=np.float64)
        if xy.ndim != 2 or xy.shape[1] != 2:
            raise UsageError("Points of a plane are pairs (x, y).", got=f"shape {xy.shape}")
        (along, _), (shift, height) = self.corners[1], self.corners[2]
        on_c = xy[:, 1] / height
        on_b = (xy[:, 0] - on_c * shift) / along
        table = np.stack([1 - on_b - on_c, on_b, on_c], axis=1)
        return Combination((self.a, self.b, self.c), (table,), {})

    def __call__(self, x: float, y: float) -> State:
        """The state at (x, y)."""
        return self.combination([[x, y]]).state(0)

    def project(self, state: State) -> tuple[float, float, float]:
        """The nearest point of the plane to a state, and how far off the plane it lies.

        Args:
            state: With the plane's tensors.

        Returns:
            x and y in the plane's coordinates, and the distance to the plane in weight space.

        Raises:
            StateMismatch: If the state's tensors are not the plane's.
        """
        states.check_same(self.a, state, names=("the plane", "the state"))
        names = list(states.coordinates(self.a))
        # In float64: what is left over after projection is a small difference of large squares.
        a, b, c, p = (
            states.cast({n: point[n] for n in names}, torch.float64)
            for point in (self.a, self.b, self.c, state)
        )
        step = states.subtract(p, a)
        directions = [states.subtract(point, a) for point in (b, c)]
        onto = np.array([states.dot(step, d, names=names) for d in directions])
        gram = np.array([[states.dot(d, e, names=names) for e in directions] for d in directions])
        shares = np.linalg.solve(gram, onto)
        x, y = shares @ self.corners[1:]
        off = max(0.0, states.dot(step, step, names=names) - float(shares @ onto)) ** 0.5
        return float(x), float(y), float(off)

    def axes(self, points: int = 25, margin: float | None = None) -> tuple[NDArray, NDArray]:
        """Equally spaced coordinates that frame the three states, or reach from -1 to 1 about one.

        Args:
            points: Number of points along each axis; an odd number has the centre among them.
            margin: Room beyond that on each side, as a share of the larger extent: 0.2 by default
                about three states, none about one.

        Returns:
            x and y, each of shape (points,).
        """
        low, high = self.corners.min(0), self.corners.max(0)
        if self.centred:
            low, high = np.full(2, -1.0), np.full(2, 1.0)
        margin = (0.0 if self.centred else 0.2) if margin is None else margin
        room = margin * (high - low).max()
        # About the middle, so that a centre among the points is 0 and not nearly so.
        steps = (2 * np.arange(points) - (points - 1)) / max(points - 1, 1)
        middle, half = (low + high) / 2, (high - low) / 2 + room
        x, y = (middle[i] + half[i] * steps for i in range(2))
        return x, y


def random_direction(
    state: Mapping[str, Tensor],
    *,
    seed: int,
    index: int = 0,
    normalise: Literal["filter", "layer", "none"] = "filter",
    ignore: Literal["vectors", "nothing"] = "vectors",
) -> State:
    """A Gaussian direction, normalised against a state (Li et al. 2018, section 4).

    Args:
        state: What the direction starts from; left as it is.
        seed: Names the direction, together with `index`.
        index: Which of several directions of one seed.
        normalise: See `Plane.random`.
        ignore: See `Plane.random`.

    Returns:
        A state of displacements; zero for statistics, labels and ignored tensors.

    Raises:
        UsageError: If `normalise` or `ignore` is unknown.
    """
    if normalise not in ("filter", "layer", "none") or ignore not in ("vectors", "nothing"):
        raise UsageError(
            "normalise is 'filter', 'layer' or 'none'; ignore is 'vectors' or 'nothing'.",
            got=f"normalise={normalise!r}, ignore={ignore!r}",
        )
    direction: State = {}
    moved = set(states.coordinates(state))
    for name, x in state.items():
        still = name not in moved or (ignore == "vectors" and x.ndim < 2)
        if still or bool(states.wide(x).isinf().any()):  # a mask has no size to normalise against
            direction[name] = torch.zeros_like(x)
            continue
        kind = torch.complex64 if x.is_complex() else torch.float32
        draw = torch.randn(
            x.shape, generator=rng.stream(seed, "direction", index, name), dtype=kind
        )
        d = draw.to(device=x.device, dtype=states.wide(x).dtype)
        if normalise == "filter" and x.ndim > 1:
            axes = tuple(range(1, x.ndim))
            length = torch.linalg.vector_norm(d, dim=axes, keepdim=True)
            d = d * (torch.linalg.vector_norm(x.to(d.dtype), dim=axes, keepdim=True) / length)
        elif normalise != "none":
            d = d * (torch.linalg.vector_norm(x.to(d.dtype)) / torch.linalg.vector_norm(d))
        direction[name] = d.to(x.dtype)
    for first, *rest in states.ties(state):
        direction.update(dict.fromkeys(rest, direction[first]))
    return direction
