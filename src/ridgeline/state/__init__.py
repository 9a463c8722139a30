"""Arithmetic on states.

A state is what `state_dict()` gives: names to tensors, and the only currency for a point.
Floating and complex tensors are its coordinates. Other tensors (`num_batches_tracked`, index
buffers) are labels: they are compared and carried, never averaged. Vectors of spectral
normalisation are those of their weight, and infinities of a mask stay where all states have them.
Running statistics are functions of weights and data, not coordinates, so distances leave them out
unless asked.

Sums are accumulated in float64, so a norm of a half-precision checkpoint is right.
"""

from ridgeline.state.arithmetic import add, lerp, mean, scale, subtract, wide
from ridgeline.state.checks import (
    check_finite,
    check_same,
    check_state,
    check_states,
    detached,
    non_finite,
)
from ridgeline.state.geometry import Comparison, angle, compare, cosine, distance, dot, norm
from ridgeline.state.kinds import (
    as_complex,
    as_real,
    bounded,
    double,
    equal,
    finitely,
    is_continuous,
    is_mask,
    matching,
    unusable,
)
from ridgeline.state.naming import (
    State,
    capture,
    cast,
    coordinates,
    is_extra,
    is_statistic,
    layers,
    tensors_of,
)
from ridgeline.state.products import (
    check_dequantised,
    check_no_factors,
    factors,
    quantised,
    warn_of_factors,
)
from ridgeline.state.sharing import identical, place, tie, ties, warn_of_identical
from ridgeline.state.spectral import Spectral, renewed, spectral_vectors, vectors_of
from ridgeline.state.types import in_one_type
from ridgeline.state.vectors import chosen, flatten, unflatten

__all__ = [
    "Comparison",
    "Spectral",
    "State",
    "add",
    "angle",
    "as_complex",
    "as_real",
    "bounded",
    "capture",
    "cast",
    "check_dequantised",
    "check_finite",
    "check_no_factors",
    "check_same",
    "check_state",
    "check_states",
    "chosen",
    "compare",
    "coordinates",
    "cosine",
    "detached",
    "distance",
    "dot",
    "double",
    "equal",
    "factors",
    "finitely",
    "flatten",
    "identical",
    "in_one_type",
    "is_continuous",
    "is_extra",
    "is_mask",
    "is_statistic",
    "layers",
    "lerp",
    "matching",
    "mean",
    "non_finite",
    "norm",
    "place",
    "quantised",
    "renewed",
    "scale",
    "spectral_vectors",
    "subtract",
    "tensors_of",
    "tie",
    "ties",
    "unflatten",
    "unusable",
    "vectors_of",
    "warn_of_factors",
    "warn_of_identical",
    "wide",
]
