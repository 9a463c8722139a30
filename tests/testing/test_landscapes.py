"""Landscapes whose answers are known, measured through everything that is public."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given as cases
from hypothesis import settings

from ridgeline.measures import barrier
from ridgeline.objective import Objective
from ridgeline.paths import Line, Plane, Polygon
from ridgeline.profiles import profile, surface
from ridgeline.testing import Echo, Product, Quadratic, Tabulated, echoed, evaluate, given

law = settings(deadline=None, max_examples=15, derandomize=True)


def echo_objective():
    data = (torch.zeros(3, 1, dtype=torch.float64), torch.zeros(3))
    metrics = {"x": echoed(0), "y": echoed(1)}
    return Objective(Echo(), data, loss=echoed(0), metrics=metrics, dtype=torch.float64)


@pytest.mark.parametrize("strategy", ["loop", "batched", "shared", "auto"])
def test_what_a_line_measures_is_where_it_says_it_is(strategy):
    found = profile(
        Line(Echo.at(0, 3), Echo.at(1, 1)), echo_objective(), points=26, strategy=strategy
    )
    assert len(found.t) == 26
    np.testing.assert_allclose(found.curve("x").mean, found.t, atol=1e-15)
    np.testing.assert_allclose(found.curve("y").mean, 3 - 2 * found.t, atol=1e-14)


def test_what_a_plane_measures_is_where_it_says_it_is_in_every_row():
    plane = Plane(Echo.at(0, 0), Echo.at(2, 0), Echo.at(1, 1))
    found = surface(plane, echo_objective(), points=9)
    for row in range(9):
        np.testing.assert_allclose(found.value("x")[row], found.x, atol=1e-14)
        np.testing.assert_allclose(found.value("y")[row], found.y[row], atol=1e-14)


@law
@cases(seed=st.integers(0, 999), spread=st.sampled_from([0.0, 0.3]))
def test_the_barrier_of_a_saddle_is_its_closed_form(seed, spread):
    rng = np.random.default_rng(seed)
    net = Quadratic([1.0, -2.0, 0.5])
    data = net.samples(40, spread=spread, seed=seed)
    a, b = (Quadratic.at(*rng.normal(size=3)) for _ in range(2))
    found = profile(Line(a, b), Objective(net, data, loss=given), points=21)
    curve, scale = found.curve(), data[0][:, 0]
    for t, mean in zip(curve.t, curve.mean, strict=True):
        chord = (1 - t) * curve.mean[0] + t * curve.mean[-1]
        want = float(scale.mean()) * net.excess(a, b, t)
        assert mean - chord == pytest.approx(want, abs=1e-9)
    got = barrier(curve)
    assert got.height == pytest.approx(float(scale.mean()) * net.barrier(a, b), abs=1e-9)
    want = abs(net.barrier(a, b)) * float(scale.std()) / 40**0.5
    assert got.stderr == pytest.approx(want, abs=1e-7)  # no spread: the same for every sample
    assert curve.stderr.max() > 0.01  # though the losses themselves are all different


def test_a_bowl_has_no_barrier():
    net = Quadratic([1.0, 3.0])
    assert net.barrier(Quadratic.at(0, 0), Quadratic.at(2, 1)) == 0
    assert net.excess(Quadratic.at(0, 0), Quadratic.at(2, 1), 0.5) == -(4 + 3) / 8


@pytest.mark.parametrize("kind", ["chord", "mean", "half", "max", "abs", "convexity_gap"])
def test_the_barrier_of_the_product_is_one_half(kind):
    objective = Objective(Product(), Product.samples(4), loss=given)
    found = profile(Line(Product.at(1, 1), Product.at(-1, -1)), objective)
    got = found.barrier(kind)
    assert (got.height, got.at) == pytest.approx((0.5, 0.5), abs=1e-12)
    np.testing.assert_allclose(found.curve().mean, [Product.along(t) for t in found.t], atol=1e-12)


def test_on_one_branch_of_the_product_there_is_no_barrier():
    objective = Objective(Product(), Product.samples(), loss=given)
    around = Polygon(*(Product.at(np.exp(s), np.exp(-s)) for s in np.linspace(-0.5, 0.5, 9)))
    assert profile(around, objective, points=33).barrier().height < 1e-4


def test_a_planted_bump_is_found():
    net = Tabulated.with_bump(0.3, 0.5, 0.25)
    objective = Objective(net, Tabulated.samples(6), loss=given)
    found = profile(Line(net.at(0), net.at(1)), objective, points=41)
    got = found.monotonicity()
    assert got.largest_rise == pytest.approx(0.25, abs=1e-12)
    assert got.between == pytest.approx((0.3, 0.5)) and not got.holds
    assert got.stderr == pytest.approx(0, abs=1e-7)
    want = np.interp(found.t, net.knots.numpy(), net.values.numpy())
    np.testing.assert_allclose(found.curve().mean, want, atol=1e-12)


def test_the_reference_agrees_with_the_closed_form_and_leaves_the_model():
    net = Quadratic([1.0, -2.0])
    data = net.samples(7)
    state = Quadratic.at(0.3, -0.2)
    values = evaluate(net, [state], data, loss=given, metrics={"twice": lambda o, t: 2 * o}, rows=3)
    assert values["loss"].shape == (1, 7) and values["loss"].dtype == np.float64
    centre = data[0][:, 1:].numpy()
    want = 0.5 * ((0.3 - centre[:, 0]) ** 2 - 2 * (-0.2 - centre[:, 1]) ** 2)
    np.testing.assert_allclose(values["loss"][0], want)
    np.testing.assert_allclose(values["twice"], 2 * values["loss"])
    assert not net.point.any()
