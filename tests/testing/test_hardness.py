"""The modules of hard and easy problems, measured through everything that is public."""

import numpy as np
import pytest
import torch

from ridgeline.measures import plateau
from ridgeline.objective import Objective
from ridgeline.paths import Line
from ridgeline.profiles import profile
from ridgeline.testing import given
from ridgeline.testing.hardness import Repeated, ill_conditioned, scalar_chain
from ridgeline.theory import IllConditioned, ScalarChain


@pytest.mark.parametrize("degree", [2, 10, 20])
def test_the_profile_of_a_chain_is_its_closed_curve(degree):
    problem = ScalarChain(degree)
    model, a, b = scalar_chain(problem)
    found = profile(Line(a, b), Objective(model, Repeated.samples(), loss=given), points=101)
    np.testing.assert_allclose(found.curve().mean, problem.curve().mean, atol=1e-14)
    assert plateau(found.curve()).end == pytest.approx(problem.plateau().end, abs=0.01)


def test_the_profile_of_an_ill_conditioned_bowl_is_its_closed_curve():
    problem = IllConditioned(1e6)
    model, a, b = ill_conditioned(problem)
    data = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64), torch.zeros(1)
    found = profile(Line(a, b), Objective(model, data, loss=given), points=101)
    np.testing.assert_allclose(found.curve().mean, problem.curve().mean, atol=1e-12)
