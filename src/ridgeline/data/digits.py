"""The 1797 handwritten digits of 8 x 8 pixels that come with scikit-learn."""

import numpy as np
import torch

from ridgeline.data.sets import DataSet, Split
from ridgeline.errors import MissingExtra

__all__ = ["read"]

MEAN, STD = 0.3053, 0.3760
"""Of all pixels, scaled to [0, 1]."""

TEST = 360
"""36 of each class; the other 1437 are for training."""


def read(*, normalise: bool = True) -> DataSet:
    """Read the bundled digits and split them, always in the same way.

    Args:
        normalise: Shift and scale all pixels alike to mean 0 and deviation 1, after [0, 1].

    Returns:
        Inputs float32 (N, 64); targets int64.

    Raises:
        MissingExtra: If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise MissingExtra("scikit-learn", "data", "The data set 'digits'") from None
    pixels, labels = load_digits(return_X_y=True)
    inputs = torch.from_numpy(np.asarray(pixels)).to(torch.float32) / 16
    if normalise:
        inputs = (inputs - MEAN) / STD
    targets = torch.from_numpy(np.asarray(labels)).to(torch.int64)
    # The positions are carried through the choice, so that what is not for testing is known.
    chosen = Split(torch.arange(len(targets)), targets).subset(TEST, seed=0).inputs
    rest = torch.ones(len(targets), dtype=torch.bool)
    rest[chosen] = False
    return DataSet(
        name="digits",
        splits={
            "train": Split(inputs[rest], targets[rest]),
            "test": Split(inputs[chosen], targets[chosen]),
        },
        classes=10,
        description="Handwritten digits (Alpaydin & Kaynak 1998): 8 x 8 grey pixels, 10 classes",
        source="scikit-learn",
    )
