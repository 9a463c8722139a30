"""The factor of a unit that brings it nearest to another, in closed form.

[derived] For one unit, with squared norms ``n_p = |b_p|^2`` and products ``c_p = <a_p, b_p>`` of
what it holds at place p, the squared distance after a factor s is, up to a constant,

    D(s) = sum over p of  s^(2 e_p) n_p - 2 s^(e_p) c_p.

Its derivative is a polynomial in s and 1/s: for powers 1 and -1 (made and used) the quartic

    N_made s^4 - C_made s^3 + C_used s - N_used = 0.

The best factor is the positive root with the least D.
"""

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from ridgeline import state as states
from ridgeline.symmetry import Group
from ridgeline.symmetry.scaling import Rescalable

__all__ = ["factors_of"]

LARGEST = 1e6
"""Factors lie between this and its inverse: a unit that should vanish keeps its function."""


def factors_of(
    a: Mapping[str, Tensor], b: Mapping[str, Tensor], group: Group, member: Rescalable
) -> np.ndarray:
    """The best factor of each unit, all others staying: shape (fibres, size).

    Args:
        a: What stays, in float64.
        b: What is scaled.
        group: Whose units.
        member: With which powers, or signs.
    """
    norms: dict[int, np.ndarray] = {}
    products: dict[int, np.ndarray] = {}
    shape = (group.fibres, group.size)
    for place, power in zip(group.places, member.powers, strict=True):
        if power and not states.is_statistic(place.tensor):
            x, y = place.units(a[place.tensor]), place.units(b[place.tensor])
            norms[power] = norms.get(power, np.zeros(shape)) + y.square().sum(-1).numpy()
            products[power] = products.get(power, np.zeros(shape)) + (x * y).sum(-1).numpy()
    if member.signs:
        gain = sum((c for e, c in products.items() if e % 2), np.zeros(shape))
        return np.where(gain < 0, -1.0, 1.0)
    candidates = np.concatenate([np.ones((*shape, 1)), _roots(norms, products, shape)], -1)
    values = sum(
        (norms[e][..., None] * candidates ** (2 * e) - 2 * products[e][..., None] * candidates**e
         for e in norms), np.zeros(candidates.shape),
    )  # fmt: skip
    return np.take_along_axis(candidates, values.argmin(-1)[..., None], -1)[..., 0]


def _roots(
    norms: Mapping[int, np.ndarray], products: Mapping[int, np.ndarray], shape: tuple[int, ...]
) -> np.ndarray:
    """Positive roots of the derivative of each unit's distance; 1 where there is none."""
    lowest = min(min(2 * e, e) for e in norms)
    degree = max(max(2 * e, e) for e in norms) - lowest
    terms = np.zeros((*shape, degree + 1))  # of s D'(s) / 2, by power of s
    for e in norms:
        terms[..., 2 * e - lowest] += e * norms[e]
        terms[..., e - lowest] -= e * products[e]
    found = np.ones((*shape, degree))
    for at in np.ndindex(*shape):
        roots = np.roots(terms[at][::-1])
        real = roots[np.abs(roots.imag) <= 1e-7 * np.abs(roots)].real
        real = np.clip(real[real > 0], 1 / LARGEST, LARGEST)
        found[at][: len(real)] = real
    return found
