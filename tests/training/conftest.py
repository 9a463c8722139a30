import pytest
import torch

from ridgeline import rng
from ridgeline.data import Split


@pytest.fixture
def planted():
    """Forty-five samples of three classes that a linear map decides, float64."""
    return vectors(45)


def vectors(count, inside=6, classes=3):
    draws = rng.stream(0, "problem")
    inputs = torch.randn(count, inside, generator=draws, dtype=torch.float64)
    planes = torch.randn(inside, classes, generator=draws, dtype=torch.float64)
    return Split(inputs, (inputs @ planes).argmax(1))
