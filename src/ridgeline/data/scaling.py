"""Scalings of a table's columns, as plain numbers that can be saved, compared and carried over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ridgeline.errors import UnknownName

__all__ = [
    "SCALINGS",
    "Quantiles",
    "Scaling",
    "Shift",
    "fit_scaling",
    "fit_shift",
    "same_scaling",
    "scaling_of",
]

Array = NDArray[np.float64]
SCALINGS = ("standard", "quantile", "none")
QUANTILES = 1000
"""As many as scikit-learn's transformer keeps by default."""
NEAR = 1e-7
"""Values so near to a column's ends are at them, as scikit-learn has it."""
LOW, HIGH = (float(ndtri(share)) for share in (NEAR - np.spacing(1), 1 - NEAR + np.spacing(1)))
"""Where the normal law's tails are cut: -5.2 and 5.2."""


@dataclass(frozen=True, eq=False)
class Shift:
    """The affine scaling x -> (x - mean) / deviation; mean 0 and deviation 1 leave all alone."""

    mean: Array
    """Shape (F,)."""
    deviation: Array
    """Shape (F,), positive."""

    def __call__(self, x: Array) -> Array:
        """Return scaled values (N, F)."""
        return (x - self.mean) / self.deviation

    def arrays(self) -> dict[str, Array]:
        """Return what defines it, by name."""
        return {"mean": self.mean, "deviation": self.deviation}


@dataclass(frozen=True, eq=False)
class Quantiles:
    """The map of each column to a normal law, through its quantiles.

    Numbers are those of `sklearn.preprocessing.QuantileTransformer(output_distribution="normal",
    subsample=None)`: linear between two quantiles, and the middle where several are equal. A
    constant column becomes 0; there it would be -5.2, the end of the law.
    """

    quantiles: Array
    """Shape (Q, F), each column in order."""

    def __call__(self, x: Array) -> Array:
        """Return scaled values (N, F), between -5.2 and 5.2."""
        references = np.linspace(0, 1, len(self.quantiles))
        result = np.zeros_like(x)
        for column, (values, known) in enumerate(zip(x.T, self.quantiles.T, strict=True)):
            if known[0] == known[-1]:
                continue
            rising = np.interp(values, known, references)
            falling = np.interp(-values, -known[::-1], -references[::-1])
            share = 0.5 * (rising - falling)
            share[values + NEAR > known[-1]] = 1.0
            share[values - NEAR < known[0]] = 0.0
            result[:, column] = np.clip(ndtri(share), LOW, HIGH)
        return result

    def arrays(self) -> dict[str, Array]:
        """Return what defines it, by name."""
        return {"quantiles": self.quantiles}


Scaling = Shift | Quantiles


def fit_scaling(
    kind: Literal["standard", "quantile", "none"] | str, x: Array, weight: Array | None = None
) -> Scaling:
    """Fit a scaling to the rows of a table.

    Args:
        kind: ``"standard"``: mean 0 and deviation 1, weighted; constant columns become 0.
            ``"quantile"``: a normal law, of at most 1000 quantiles; weights are not asked.
            ``"none"``: as it is.
        x: Finite values (N, F).
        weight: Of each row, (N,); alike by default.

    Raises:
        UnknownName: If there is no such kind.
    """
    match kind:
        case "none":
            return Shift(np.zeros(x.shape[1]), np.ones(x.shape[1]))
        case "standard":
            return fit_shift(x, weight)
        case "quantile":
            # Multiplied as there: one rounding elsewhere moves repeated values by much.
            shares = np.linspace(0, 1, min(QUANTILES, len(x))) * 100
            return Quantiles(np.nanpercentile(x, shares, axis=0))
        case _:
            raise UnknownName("scaling", kind, SCALINGS)


def fit_shift(x: Array, weight: Array | None = None) -> Shift:
    """Return the scaling to mean 0 and deviation 1, weighted; of a constant column to 0."""
    flat = x.min(0) == x.max(0)
    size = np.abs(x).max(0)
    size[size == 0] = 1.0  # squares of the tiniest and the largest numbers are none
    mean = size * np.average(x / size, axis=0, weights=weight)
    far = np.abs(x - mean).max(0)
    far[far == 0] = 1.0
    deviation = far * np.sqrt(np.average(((x - mean) / far) ** 2, axis=0, weights=weight))
    return Shift(np.where(flat, x[0], mean), np.where(flat, 1.0, deviation))


def scaling_of(arrays: Mapping[str, Array]) -> Scaling:
    """Return the scaling of what `arrays` gave."""
    if set(arrays) == {"quantiles"}:
        return Quantiles(arrays["quantiles"])
    return Shift(arrays["mean"], arrays["deviation"])


def same_scaling(a: Scaling, b: Scaling) -> bool:
    """True if two scalings are one function, number by number."""
    one, other = a.arrays(), b.arrays()
    return one.keys() == other.keys() and all(np.array_equal(one[n], other[n]) for n in one)
