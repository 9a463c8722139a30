"""Bases of null spaces, of whole numbers where there are any."""

import numpy as np

__all__ = ["ZERO", "echelon", "null_space"]

ZERO = 1e-7
"""Singular values below this share of the largest count as zero."""

ROUNDING = 1e-9
"""An unknown below this in a normalised row is zero."""


def null_space(table: np.ndarray) -> np.ndarray:
    """Rows that span the vectors which a table takes to zero.

    Args:
        table: Shape (equations, unknowns).
    """
    _, sizes, rows = np.linalg.svd(table, full_matrices=True)
    return rows[int((sizes > ZERO * (sizes[0] if sizes.size else 1.0)).sum()) :]


def echelon(basis: np.ndarray, sizes: np.ndarray | float = 1.0) -> np.ndarray:
    """The basis of the same space whose rows begin with a 1, above and below which are zeros.

    Args:
        basis: Shape (vectors, unknowns), independent and, for the precision, orthonormal.
        sizes: What each unknown was multiplied by in it, and is divided by in the end: rows of
            unknowns of unlike size would be parallel all but for their last digits.
    """
    found, scale, done = basis.copy(), np.ones(basis.shape[1]) * sizes, 0
    first: list[int] = []
    for column in range(found.shape[1]):
        if done == len(found):
            break
        best = done + int(np.abs(found[done:, column]).argmax())
        if abs(found[best, column]) < ROUNDING:
            continue
        found[[done, best]] = found[[best, done]]
        found[done] /= found[done, column]
        others = [k for k in range(len(found)) if k != done]
        found[others] -= np.outer(found[others, column], found[done])
        first.append(column)
        done += 1
    return found * scale[first][:, None] / scale
