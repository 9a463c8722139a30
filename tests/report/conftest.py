import numpy as np
import pytest

from report.shapes import T, bump, curve, descent, valley
from ridgeline.profiles import Profile


@pytest.fixture
def hill():
    """Minimum to minimum: a barrier of 2 at the middle, two splits."""
    return Profile(
        T,
        {
            "train": {"loss": curve(bump(2.0), 1000), "error": curve(bump(0.6), 1000, chance=0.9)},
            "test": {"loss": curve(bump(2.4)), "error": curve(bump(0.7), chance=0.9)},
        },
        {
            "path": {"kind": "Line", "points": 51, "distance": 12.5, "cosine": float("nan")},
            "splits": {"train": {"declined": {}, "order": (1, 2), "scale": np.float64(2.5)}},
        },
    )


@pytest.fixture
def slope():
    """Initialisation to minimum: the error stays at chance until 0.42."""
    return Profile(
        T,
        {
            "train": {
                "loss": curve(descent(2.3, 0.55), spread=0.05),
                "error": curve(np.where(T <= 0.42, 0.9, 0.9 * (1 - T)), chance=0.9, spread=0.1),
            }
        },
    )


@pytest.fixture
def broken():
    """NaN at two positions and infinity at one."""
    mean = bump(2.0)
    mean[[20, 21]], mean[30] = np.nan, np.inf
    return Profile(T, {"data": {"loss": curve(mean)}})


@pytest.fixture
def layers():
    return {
        f"layer {i}": Profile(T, {"train": {"loss": curve(bump(1 / i), spread=0.1)}})
        for i in range(1, 5)
    }


@pytest.fixture
def plain_surface():
    return valley()
