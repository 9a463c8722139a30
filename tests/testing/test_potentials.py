"""Known minima and passes are what they are said to be."""

import pytest
import torch
from torch import Tensor

from ridgeline.testing import CurvedValley, EggCarton, MuellerBrown, Potential


def bends(model: Potential, x: float, y: float) -> tuple[float, Tensor, Tensor]:
    """Height, gradient, and curvatures in order."""
    at = torch.tensor([x, y], dtype=torch.float64)

    def height(p: Tensor) -> Tensor:
        return model.height(p[0], p[1])

    curved = torch.autograd.functional.hessian(height, at)
    return (
        float(height(at)),
        torch.func.grad(height)(at),
        torch.linalg.eigvalsh(curved),
    )


@pytest.mark.parametrize(
    ("model", "well", "at", "height"),
    [
        (EggCarton(2.0), (1, -1), (1.5, -1), 2.0),
        (CurvedValley(1.5, 0.7, 3.0), (-1, 0), (0, 0.7), 1.5),
        (MuellerBrown(), MuellerBrown.MINIMA[0], (-0.822002, 0.624313), -40.664844),
        (MuellerBrown(), MuellerBrown.MINIMA[1], (0.212487, 0.292988), -72.248940),
    ],
    ids=["egg carton", "curved valley", "Mueller-Brown high", "Mueller-Brown low"],
)
def test_a_well_curves_upwards_and_a_pass_downwards_along_one_direction(model, well, at, height):
    _, slope, curved = bends(model, *well)
    assert float(slope.abs().max()) < 2e-3 and float(curved[0]) > 0
    found, slope, curved = bends(model, *at)
    assert found == pytest.approx(height, abs=1e-5)
    assert float(slope.abs().max()) < 2e-3 and float(curved[0]) < 0 < float(curved[1])


def test_minima_of_mueller_and_brown_have_the_heights_that_are_named():
    for at, height in zip(MuellerBrown.MINIMA, MuellerBrown.HEIGHTS, strict=True):
        assert bends(MuellerBrown(), *at)[0] == pytest.approx(height, abs=1e-5)


def test_the_line_through_a_curved_valley_climbs_as_high_as_is_said():
    model = CurvedValley(1.0, 1.3, 2.0)
    assert bends(model, 0, 0)[0] == pytest.approx(model.straight())
    assert (model.saddle(), EggCarton(3.0).saddle()) == (1.0, 3.0)


def test_samples_differ_by_offsets_that_cancel():
    model = EggCarton()
    losses = model(model.samples(5)[0])
    assert losses.tolist() == [-1, -0.5, 0, 0.5, 1]
    assert model.samples()[0].tolist() == [0]
