"""Arrays of positions, packed for JSON.

Most are affine: element (i, j, k) is ``start + i strides[0] + j strides[1] + k strides[2]``, and
need a handful of numbers whatever their size. The others are runs: stretches of the flattened array
with a constant step.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["Packed", "pack", "unpack"]

Packed = Mapping[str, Any]
"""``shape`` with ``start`` and ``strides``, or with ``runs`` of (start, step, count)."""

LARGEST = 2**31
"""Numbers in an array; a torn or hostile file shall not ask for all of the memory."""


def pack(index: np.ndarray) -> dict[str, Any]:
    """An array of integers in plain values.

    Args:
        index: Of any shape.
    """
    shape = list(index.shape)
    if (affine := _fitted(index)) is not None:
        return {"shape": shape, **affine}
    return {"shape": shape, "runs": _runs(index.ravel())}


def _fitted(index: np.ndarray) -> dict[str, Any] | None:
    """Start and strides, if the array is affine."""
    if not index.size:
        return {"start": 0, "strides": [0] * index.ndim}
    start = int(index.flat[0])
    strides = []
    for d, count in enumerate(index.shape):
        second = tuple(int(e == d) for e in range(index.ndim))
        strides.append(int(index[second]) - start if count > 1 else 0)
    found = _affine(index.shape, start, strides)
    return {"start": start, "strides": strides} if np.array_equal(found, index) else None


def _affine(shape: Sequence[int], start: int, strides: Sequence[int]) -> np.ndarray:
    found = np.full(tuple(shape), start, np.int64)
    for d, stride in enumerate(strides):
        steps = np.arange(shape[d], dtype=np.int64) * stride
        found += steps.reshape([-1 if e == d else 1 for e in range(len(shape))])
    return found


def _runs(flat: np.ndarray) -> list[list[int]]:
    """Stretches of constant step, each as long as it goes."""
    steps = np.diff(flat)
    changes = [*(np.flatnonzero(np.diff(steps)) + 1).tolist(), len(steps)]
    found: list[list[int]] = []
    at = 0
    for change in changes:  # the step is constant up to element `change`, which it includes
        if at >= change:  # the step into a new stretch is no step of it
            continue
        count = change - at + 1
        found.append([int(flat[at]), int(steps[at]), count])
        at = change + 1
    if at < len(flat):
        found.append([int(flat[at]), 0, 1])
    return found


def unpack(packed: Packed) -> np.ndarray:
    """The array.

    Args:
        packed: As `pack` gives.

    Returns:
        In int64.

    Raises:
        ValueError: If it is not as `pack` gives it.
        KeyError: If an entry is missing.
        TypeError: If an entry is of another type.
    """
    shape = [_whole(n) for n in packed["shape"]]
    if any(n < 0 for n in shape) or np.prod([1.0, *shape]) > LARGEST:
        raise ValueError(f"an array of shape {shape}")
    if "runs" in packed:
        runs = [[_whole(n) for n in run] for run in packed["runs"]]
        counts = [count for _, _, count in runs]
        if min(counts, default=0) < 0 or sum(counts) != int(np.prod(shape)):
            raise ValueError(f"runs that do not fill the shape {shape}")
        parts = [start + step * np.arange(count) for start, step, count in runs]
        return np.concatenate(parts or [np.zeros(0)]).astype(np.int64).reshape(shape)
    strides = [_whole(n) for n in packed["strides"]]
    if len(strides) != len(shape):
        raise ValueError(f"{len(strides)} strides for the shape {shape}")
    return _affine(shape, _whole(packed["start"]), strides)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r}, which is no whole number")
    return value
