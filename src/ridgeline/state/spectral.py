"""The vectors of spectral normalisation, which are functions of a weight and no weights.

`torch.nn.utils.spectral_norm`, old and new, divides a weight by ``u^T W v`` with vectors that power
iterations bring to W's own singular vectors in training. Vectors between those of two networks are
of neither: the weight half way, divided by what they give, has a spectral norm of 1.7, not 1.
So they are computed of the weight wherever a state is made between others; a state that is given
keeps its own.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ridgeline.state.kinds import equal

__all__ = ["Spectral", "renewed", "singular_vectors", "spectral_vectors", "vectors_of"]

EXACT = 1024
"""Rows or columns up to which the vectors are computed at once, and not by iterations."""
ITERATIONS = 1000
_NEW = re.compile(r"(.*\.|)parametrizations\.([^.]+)\.0\._[uv]")
_OLD = re.compile(r"(.*)_[uv]")


@dataclass(frozen=True)
class Spectral:
    """The names of a weight and of the vectors that belong to it."""

    weight: str
    u: str
    v: str


def spectral_vectors(names: Iterable[str]) -> dict[str, Spectral]:
    """Vectors of spectral normalisation: name of each to what it belongs to.

    Args:
        names: Of a state's tensors.
    """
    known = dict.fromkeys(names)
    found: dict[str, Spectral] = {}
    for name in known:
        if not name.endswith(("_u", "_v")):
            continue
        if made := _NEW.fullmatch(name):
            weights = [f"{made[1]}parametrizations.{made[2]}.original"]
        elif made := _OLD.fullmatch(name):
            weights = [f"{made[1]}_orig", f"{made[1]}_bar"]
        else:
            continue
        pair = f"{name[:-1]}u", f"{name[:-1]}v"
        weight = next((w for w in weights if w in known), None)
        if weight is not None and all(p in known for p in pair):
            found[name] = Spectral(weight, *pair)
    return found


def vectors_of(weight: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """The singular vectors of a weight's largest singular value, of the types of others.

    Args:
        weight: Of any number of axes.
        u: Vectors of another weight, which tell along which axis it is a matrix, (rows,).
        v: The same, (columns,).
    """
    wide = torch.complex128 if weight.is_complex() else torch.float64
    matrices = [
        m
        for axis in range(weight.ndim)
        if (m := weight.movedim(axis, 0).flatten(1)).shape == (u.numel(), v.numel())
    ]
    if not matrices or not weight.numel():
        return u, v
    left, right = u.to(wide).flatten(), v.to(wide).flatten()
    sizes = [abs(complex(left.conj() @ (m.to(wide) @ right))) for m in matrices]
    matrix = matrices[max(range(len(sizes)), key=sizes.__getitem__)].to(wide)
    found = singular_vectors(matrix, right)
    sign = -1 if float((found[0].conj() @ left).real) < 0 else 1
    return tuple((sign * x).reshape(y.shape).to(y) for x, y in zip(found, (u, v), strict=True))  # type: ignore[return-value]  # two of them


def singular_vectors(matrix: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """The left and right singular vectors of a matrix's largest singular value.

    Args:
        matrix: In double precision, (rows, columns).
        start: Where iterations begin, (columns,).
    """
    rows, columns = matrix.shape
    if min(rows, columns) <= EXACT:
        if rows <= columns:
            u = torch.linalg.eigh(matrix @ matrix.mH).eigenvectors[:, -1]
            return u, _unit(matrix.mH @ u)
        v = torch.linalg.eigh(matrix.mH @ matrix).eigenvectors[:, -1]
        return _unit(matrix @ v), v
    v, size = _unit(start + 1e-3), torch.zeros((), dtype=torch.float64)
    for _ in range(ITERATIONS):
        u = _unit(matrix @ v)
        along = matrix.mH @ u
        v, before, size = _unit(along), size, along.norm().double()
        if float(abs(size - before)) <= 1e-12 * float(size):
            break
    return _unit(matrix @ v), v


def _unit(x: Tensor) -> Tensor:
    return x / x.norm().clamp(min=torch.finfo(torch.float64).tiny)


def renewed(state: dict[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state with the vectors of spectral normalisation that belong to its weights; in place.

    Args:
        state: Made of others.
        like: One of them: what has its weight keeps its vectors.
    """
    for pair in {p.weight: p for p in spectral_vectors(state).values()}.values():
        if not equal(state[pair.weight], like[pair.weight]):
            vectors = vectors_of(state[pair.weight], like[pair.u], like[pair.v])
            state[pair.u], state[pair.v] = vectors
        else:
            state[pair.u], state[pair.v] = like[pair.u], like[pair.v]
    return state
