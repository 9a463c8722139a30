"""Laws that every path must obey, for those who write one."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ridgeline.paths import Path
from ridgeline.state import State

__all__ = ["check_path"]


def check_path(
    path: Path,
    *,
    a: State | None = None,
    b: State | None = None,
    at: Sequence[float] = (0.0837, 0.2719, 0.4386, 0.6173, 0.9241),
    step: float = 1e-6,
    tolerance: float = 1e-6,
) -> None:
    """Check that a path keeps what paths promise.

    The ends are given states bit for bit; positions are affine combinations of the basis; a
    label (a tensor that is not floating) is always one of the basis' and never averaged; the
    tangent is the derivative; and nothing that was given is written to.

    Args:
        path: Whose basis holds finite tensors.
        a: What ``path(0)`` must be; any state of the basis, tensor by tensor, by default.
        b: What ``path(1)`` must be; likewise.
        at: Positions where the path is smooth, inside (0, 1).
        step: Of the central difference, in t.
        tolerance: On the tangent in float64, as a share of the largest displacement; half
            precision and float32 are given what their rounding needs.

    Raises:
        AssertionError: Naming the law that is broken, the tensor and the position.
    """
    basis = path.combination([0.0, 1.0]).basis
    before = [{name: x.clone() for name, x in point.items()} for point in basis]
    _check_combination(path, at)
    _check_ends(path, a, b)
    for t in at:
        _check_labels(path, t)
        _check_tangent(path, t, step, tolerance)
    for j, (point, kept) in enumerate(zip(basis, before, strict=True)):
        for name, x in point.items():
            if not _same_bits(x, kept[name]):
                raise AssertionError(f"Evaluating the path changed {name!r} of basis state {j}.")


def _check_ends(path: Path, a: State | None, b: State | None) -> None:
    for t, wanted in ((0.0, a), (1.0, b)):
        end, basis = path(t), path.combination([0.0, 1.0]).basis
        if set(end) != set(basis[0] if wanted is None else wanted):
            raise AssertionError(f"path({t:g}) has other tensors than the end that was given.")
        for name, x in end.items():
            allowed = [point[name] for point in basis] if wanted is None else [wanted[name]]
            if not any(_same_bits(x, y) for y in allowed):
                raise AssertionError(f"{name!r} at t = {t:g} is not that of the end, bit for bit.")


def _check_combination(path: Path, at: Sequence[float]) -> None:
    across = path.combination([0.0, *at, 1.0])
    if len(across) != len(at) + 2:
        raise AssertionError(f"{len(at) + 2} positions gave {len(across)} states.")
    for name in across.basis[0]:
        sums = across.table(name).sum(1)
        if not np.allclose(sums, 1, rtol=0, atol=1e-9):
            raise AssertionError(f"The coefficients of {name!r} sum to {sums}, not to one.")
        first = across.tensor(name, 0)
        moved = any(not torch.equal(across.tensor(name, k), first) for k in range(len(across)))
        if moved and name not in across.moving:
            raise AssertionError(f"{name!r} moves, and is not among the moving tensors.")


def _check_labels(path: Path, t: float) -> None:
    across = path.combination([t])
    for name, x in across.state(0).items():
        points = [point[name] for point in across.basis]
        if x.dtype != points[0].dtype:
            raise AssertionError(f"{name!r} at t = {t:g} is {x.dtype}, not {points[0].dtype}.")
        if not x.is_floating_point() and not any(torch.equal(x, y) for y in points):
            raise AssertionError(f"The label {name!r} at t = {t:g} is that of no basis state.")


def _check_tangent(path: Path, t: float, step: float, tolerance: float) -> None:
    tangent = path.tangent(t)
    across = path.combination([t - step, t + step])
    for name, x in across.basis[0].items():
        if not x.is_floating_point():
            if name in tangent:
                raise AssertionError(f"The label {name!r} has a tangent at t = {t:g}.")
            continue
        points = torch.stack([point[name].double() for point in across.basis])
        low, high = (torch.as_tensor(row) for row in across.table(name))
        slope = torch.tensordot((high - low) / (2 * step), points, dims=1)
        size = float(points.abs().max()) * len(points) ** 2 if points.numel() else 0.0
        allowed = max(tolerance, 4 * torch.finfo(x.dtype).eps) * max(size, 1e-30)
        if name not in tangent or not torch.allclose(
            tangent[name].double(), slope, rtol=4 * torch.finfo(x.dtype).eps, atol=allowed
        ):
            raise AssertionError(f"The tangent of {name!r} at t = {t:g} is not the derivative.")


def _same_bits(x: Tensor, y: Tensor) -> bool:
    """Equal in shape, type and every bit, the sign of zero included."""
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    flat = (z.detach().contiguous().flatten().view(torch.uint8) for z in (x, y))
    return torch.equal(*flat)
