"""Two-layer students trained on data drawn anew at each step, several at once."""

from dataclasses import dataclass

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.measures import Array
from ridgeline.theory.minima import risk

__all__ = ["Students", "train_students"]

LOOK = 250
"""Steps between two looks at the exact risk."""


@dataclass(frozen=True, eq=False)
class Students:
    """Students at the end of their training."""

    weights: Array
    """Shape (students, m, d)."""
    risks: Array
    """Exact risk over the sphere, shape (students,); NaN where training diverged."""
    steps: int


def train_students(
    *,
    teachers: int,
    neurons: int,
    dimension: int,
    count: int,
    scale: float,
    rate: float,
    batch: int,
    until: float,
    most: int,
    rng: np.random.Generator,
) -> Students:
    """Train students by SGD on inputs uniform on the sphere, until all reach a risk.

    Args:
        teachers: M.
        neurons: m.
        dimension: Of inputs.
        count: Students, each with draws of its own.
        scale: First weights are normal with standard deviation ``scale / sqrt(m d)``.
        rate: The learning rate is ``rate / m``: each neuron moves the output by as much, so that a
            fixed rate diverges as m grows.
        batch: Inputs at a step.
        until: Exact risk at which training ends.
        most: Steps after which it ends all the same.
        rng: Draws first weights and inputs.

    Raises:
        UsageError: If a number is not positive.
    """
    if min(scale, rate, until) <= 0 or min(count, batch, most) < 1:
        raise UsageError(
            "Scale, rate, counts and the risk to reach are positive.",
            got=f"scale {scale}, rate {rate}, until {until}, {count} students, batch {batch}, "
            f"{most} steps",
        )
    shape = (count, neurons, dimension)
    weights = scale / np.sqrt(neurons * dimension) * rng.standard_normal(shape)
    step, found = 0, risk(weights, teachers)
    while step < most and (found > until).any():
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(min(LOOK, most - step)):
                x = rng.standard_normal((count, batch, dimension))
                x /= np.linalg.norm(x, axis=-1, keepdims=True)
                z = x @ weights.transpose(0, 2, 1)
                active = z > 0
                off = (z * active).sum(-1) - np.maximum(x[..., :teachers], 0).sum(-1)
                slope = (active * off[..., None]).transpose(0, 2, 1) @ x
                weights -= 2 * rate / (neurons * batch) * slope
                step += 1
        sound = np.isfinite(weights).all((1, 2)) & (np.abs(weights).max((1, 2)) < 1e6)
        found = np.full(count, np.nan)
        found[sound] = risk(weights[sound], teachers)
        weights[~sound] = 0.0  # so that it stays out of the way of the others
        if not sound.any():
            break
    return Students(weights, found, step)
