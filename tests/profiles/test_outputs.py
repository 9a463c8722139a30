"""Outputs along a path: the linearity integral of planted curves, and their projections."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn

import ridgeline as rl
import zoo
from ridgeline.errors import GridError, UnknownName, UsageError
from ridgeline.objective import Objective, squared_error
from ridgeline.paths import Line
from ridgeline.profiles import linearity, output_paths, project


class Planted(nn.Module):
    def __init__(self, curve):
        super().__init__()
        self.at = nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.curve = curve

    def forward(self, x):
        return x * torch.stack(self.curve(self.at))


def planted(curve):
    x = torch.tensor([[1.0], [2.0], [4.0]], dtype=torch.float64)
    goal = Objective(Planted(curve), (x, torch.zeros(3, 2)), loss=squared_error)
    return goal, Line(*({"at": torch.tensor(v, dtype=torch.float64)} for v in (0.0, 1.0)))


def test_a_parabola_has_its_known_integral():
    """Outputs x (t, t (1 - t)): the chord is the first axis, and the integral x^2 / 30."""
    goal, path = planted(lambda s: (s, s * (1 - s)))
    found = linearity(path, goal, points=2001)
    np.testing.assert_allclose(sorted(found.values), np.array([1, 4, 16]) / 30, rtol=1e-5)
    assert found.mean == pytest.approx(7 / 30, rel=1e-5) and found.samples == 3
    assert found.stderr == pytest.approx(np.std([1, 4, 16], ddof=1) / 30 / 3**0.5, rel=1e-5)
    np.testing.assert_allclose(found.deviation, 7 * (found.t * (1 - found.t)) ** 2, atol=1e-12)
    low, high = found.interval()
    assert low < found.mean < high


def test_a_straight_curve_has_none_though_it_goes_to_and_fro():
    goal, path = planted(lambda s: (torch.sin(5 * s), 2 * torch.sin(5 * s) + 1))
    assert linearity(path, goal).mean == pytest.approx(0, abs=1e-24)


def test_a_closed_curve_has_no_chord_and_nothing_is_projected_away():
    goal, path = planted(lambda s: (s * (1 - s), 0 * s))
    assert linearity(path, goal, points=2001).mean == pytest.approx(7 / 30, rel=1e-5)


def test_linearity_needs_both_ends():
    goal, path = planted(lambda s: (s, s))
    with pytest.raises(GridError, match=r"chord from 0 to 1.*0\.1 to 1"):
        linearity(path, goal, points=[0.1, 0.5, 1])


def test_output_paths_are_the_outputs():
    model, data, a, b = zoo.build("mlp", n=20)
    goal = Objective(model, data, dtype=torch.float64)
    found = rl.output_paths(Line(a, b), goal, points=5, samples=7)
    assert found.shape == (5, 7, 4) and found.dtype == np.float64
    whole = output_paths(Line(a, b), goal, points=5)
    assert whole.shape == (5, 20, 4)
    np.testing.assert_array_equal(whole[:, :7], found)
    wide = {n: x.double() for n, x in Line(a, b)(0.5).items()}
    want = torch.func.functional_call(model, wide, (data[0].double(),)).detach().numpy()
    by_row = lambda rows: rows[np.lexsort(rows.T)]  # noqa: E731 (a name for a short function that is read in place)
    np.testing.assert_allclose(by_row(whole[2]), by_row(want), rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=25, derandomize=True)
@given(seed=st.integers(0, 2**16), width=st.integers(2, 9))
def test_principal_components_are_those_of_the_singular_values(seed, width):
    points = np.random.default_rng(seed).normal(size=(6, 5, width)) * np.arange(1, width + 1) + 3
    seen, share = project(points)
    flat = points.reshape(-1, width) - points.reshape(-1, width).mean(0)
    u, s, _ = np.linalg.svd(flat, full_matrices=False)
    assert share == pytest.approx((s[:2] ** 2).sum() / (s**2).sum())
    np.testing.assert_allclose(np.abs(seen.reshape(-1, 2)), np.abs(u[:, :2] * s[:2]), atol=1e-9)
    random = project(points, by="random", seed=seed)
    assert random.share <= share + 1e-12
    steps = [np.linalg.norm(np.diff(c, axis=0), axis=-1) for c in (random.coordinates, points)]
    assert (steps[0] <= steps[1] + 1e-9).all()  # orthonormal: nothing is stretched


def test_a_plane_is_seen_whole_and_lines_stay_straight():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(7, 4, 2)) @ rng.normal(size=(2, 6))
    assert project(plane).share == pytest.approx(1)
    t = np.linspace(0, 1, 9)[:, None, None]
    lines = rng.normal(size=(1, 5, 8)) + t * rng.normal(size=(1, 5, 8))
    for by in ("pca", "random"):
        assert np.abs(np.diff(project(lines, by=by).coordinates, n=2, axis=0)).max() < 1e-12


def test_a_projection_repeats_and_a_seed_changes_the_random_one():
    points = np.random.default_rng(0).normal(size=(6, 5, 7))
    for by in ("pca", "random"):
        once, again = project(points, by=by), project(points, by=by)
        np.testing.assert_array_equal(once.coordinates, again.coordinates)
    assert project(points, by="random", seed=1).share != project(points, by="random").share


def test_what_cannot_be_projected_is_refused():
    assert np.isnan(project(np.ones((3, 2, 4))).share)
    for wrong in (np.ones((3, 2)), np.ones((3, 2, 1)), np.ones((0, 2, 4))):
        with pytest.raises(UsageError, match="shape"):
            project(wrong)
    with pytest.raises(UsageError, match="finite"):
        project(np.full((3, 2, 4), np.nan))
    with pytest.raises(UnknownName, match="pca"):
        project(np.ones((3, 2, 4)), by="umap")
