"""How far the leading singular directions of two networks' weights agree."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.state import check_finite, check_same, coordinates

__all__ = ["SingularAlignment", "singular_alignment"]


@dataclass(frozen=True)
class SingularAlignment:
    """The alignment R of Ito et al. 2024, matrix by matrix and of all together."""

    gamma: float
    overall: float
    """Sums over matrices of the numerators over those of the denominators [derived]."""
    matrices: dict[str, float]
    """Name of each weight to its R; NaN if it is zero."""
    kept: dict[str, tuple[int, int]]
    """Singular directions that counted, of a and of b."""

    def __str__(self) -> str:
        lines = [f"Singular alignment {self.overall:.3f} (singular values >= {self.gamma:g} s_max)"]
        lines += [f"  {n}: {r:.3f} of {self.kept[n]}" for n, r in self.matrices.items()]
        return "\n".join(lines)


def singular_alignment(
    a: Mapping[str, Tensor], b: Mapping[str, Tensor], *, gamma: float = 0.3
) -> SingularAlignment:
    """True if the singular vectors with large singular values agree (Ito et al. 2024).

    ``R = sum_ij (u_i^a . u_j^b) (v_i^a . v_j^b) / sqrt(k_a k_b)``, over the k_a and k_b singular
    triples whose values are at least `gamma` times the largest of their matrix. The paper's
    exact normalisation was not at hand; this one is derived: R is the cosine of the two partial
    isometries ``sum_i u_i v_i^T``, so that it lies in [-1, 1], is 1 for equal matrices, and does
    not depend on the signs of singular vectors. Give an aligned b to see what alignment did.

    Weights with more than two axes are matrices with the first axis as rows; turning rows and
    columns changes nothing.

    Args:
        a: A state.
        b: Another with the same tensors.
        gamma: In [0, 1].

    Returns:
        R for every floating tensor with two axes or more, and overall.

    Raises:
        UsageError: If gamma is outside [0, 1] or there is no such tensor.
        StateMismatch: If tensors differ.
        NonFinite: If a state holds NaN or infinity.
    """
    if not 0 <= gamma <= 1:
        raise UsageError("gamma is a share of the largest singular value.", got=f"{gamma}")
    check_same(a, b)
    check_finite(a, "a")
    check_finite(b, "b")
    names = [n for n in coordinates(a) if a[n].ndim >= 2 and a[n].numel()]
    if not names:
        raise UsageError("One tensor at least must be a matrix.", got=", ".join(list(a)[:10]))
    top = bottom = 0.0
    found: dict[str, float] = {}
    kept: dict[str, tuple[int, int]] = {}
    for name in names:
        left, right = (_isometry(x[name], gamma) for x in (a, b))
        product, size = _inner(left, right), (len(left[1]) * len(right[1])) ** 0.5
        found[name] = product / size if size else float("nan")
        kept[name] = len(left[1]), len(right[1])
        top, bottom = top + product, bottom + size
    return SingularAlignment(gamma, top / bottom if bottom else float("nan"), found, kept)


def _isometry(x: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """Leading singular vectors: columns of u, and rows of v."""
    u, s, v = torch.linalg.svd(x.detach().double().flatten(1), full_matrices=False)
    count = int((s >= gamma * s[0]).sum()) if s[0] > 0 else 0
    return u[:, :count].cpu(), v[:count].cpu()


def _inner(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> float:
    """``sum_ij (u_i . u_j) (v_i . v_j)``."""
    return float(((a[0].T @ b[0]) * (a[1] @ b[1].T)).sum())
