"""Parts that the items of this study share: streams of random numbers."""

import numpy as np

from ridgeline.rng import seed_of

__all__ = ["generator"]


def generator(*names: object) -> np.random.Generator:
    """A named stream of this study."""
    return np.random.default_rng(seed_of(0, "lin2024", *names))
