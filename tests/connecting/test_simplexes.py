"""Simplexes: points, volume and the slope of its logarithm."""

import math

import numpy as np
import pytest
import torch

import ridgeline as rl
from connecting.networks import objective_of, states_of
from ridgeline.connecting.simplexes import LEAST, LogVolume, _uniform
from ridgeline.errors import UsageError


def volume(corners):
    """By Cayley and Menger."""
    n = len(corners)
    table = torch.ones(n + 1, n + 1, dtype=torch.float64)
    table[0, 0] = 0
    table[1:, 1:] = (corners[:, None] - corners[None]).square().sum(-1)
    size = math.factorial(n - 1) ** 2 * 2 ** (n - 1)
    return (torch.linalg.det(table).abs() / size).sqrt()


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_slope_is_that_of_the_logarithm_of_the_volume(count):
    rows = torch.randn(count, 9, dtype=torch.float64, requires_grad=True)
    (-0.3 * volume(rows).log()).backward()
    out = [torch.zeros(9).double()]
    LogVolume(0.3).add_gradient(rows.detach(), out)
    torch.testing.assert_close(out[0], rows.grad[-1], rtol=100 * LEAST, atol=1e-4)


def test_on_the_hull_of_the_others_no_way_out_is_better():
    rows = torch.randn(3, 5, dtype=torch.float64)
    rows[2] = rows[0].lerp(rows[1], 0.25)
    out = [torch.zeros(5).double()]
    LogVolume(1.0).add_gradient(torch.stack([rows[0], rows[0], rows[0]]), out)
    assert torch.equal(out[0], torch.zeros(5).double())


def test_points_are_uniform_in_the_simplex_of_a_mode():
    table = _uniform(np.random.default_rng(0), 30000, 2, 2)
    assert np.allclose(table.sum(1), 1)
    assert (table >= 0).all()
    assert ((table[:, 0] > 0) ^ (table[:, 1] > 0)).all()
    assert table.mean(0) == pytest.approx([1 / 6, 1 / 6, 1 / 3, 1 / 3], abs=0.01)
    assert table[:, 2].var() == pytest.approx(1 / 18, abs=0.005)


def test_vertices_are_added_and_modes_stay():
    modes = states_of("plain")
    by = rl.SimplexFinding(vertices=2, descent=rl.Descent(length="4it", looks=1, positions=2))
    found = rl.simplex(modes, objective_of("plain"), by=by)
    assert len(found.vertices) == 2
    assert all(torch.equal(x, modes[1][n]) for n, x in found.modes[1].items())
    flat = torch.stack([rl.state.flatten(x) for x in (found.modes[0], *found.vertices)])
    assert found.log_volume() == pytest.approx(float(volume(flat).log()), rel=1e-6)
    assert len(found.points(7)) == 7


def test_no_mode_and_no_vertex_are_refused():
    with pytest.raises(UsageError, match="one mode at least"):
        rl.simplex([], objective_of("plain"))
    with pytest.raises(UsageError, match="`vertices` is a whole number from 1"):
        rl.SimplexFinding(vertices=0)
