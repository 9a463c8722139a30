"""The polygonal chain and the Bezier curve."""

from itertools import pairwise

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from paths.points import draw, make_path
from ridgeline import state as states
from ridgeline.errors import GridError, StateMismatch, UsageError
from ridgeline.paths import Bezier, Line, Polygon

law = settings(deadline=None, max_examples=25, derandomize=True)


DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def flat(s):
    return torch.cat([x.double().flatten() for x in s.values() if x.is_floating_point()])


def gap(p, q):
    return float((flat(p) - flat(q)).abs().max())


KINDS = ["line", "rates", "polygon", "knots", "bezier"]


@law
@given(kind=st.sampled_from(KINDS), t=st.floats(0, 1), seed=st.integers(0, 1000))
def test_a_reversed_path_is_the_path_with_its_points_reversed(kind, t, seed):
    if kind == "rates":
        kind = "line"  # a rate is not symmetric
    points = [draw(seed + i) for i in range(3)]
    path = make_path(kind, points)
    if kind == "knots":
        back = Polygon(*reversed(points), knots=1 - path.knots[::-1])
    else:
        back = make_path(kind, points[::-1])
    assert gap(path(t), back(1 - t)) < 1e-9 * float(flat(points[0]).abs().max() + 1e3)


@law
@given(count=st.integers(2, 6), t=st.floats(0, 1), seed=st.integers(0, 99))
def test_a_bezier_curve_is_de_casteljaus(count, t, seed):
    points = [draw(seed + i) for i in range(count)]
    level = [flat(p) for p in points]
    while len(level) > 1:
        level = [(1 - t) * p + t * q for p, q in pairwise(level)]
    size = max(float(flat(p).abs().max()) for p in points)
    assert (flat(Bezier(*points)(t)) - level[0]).abs().max() < 1e-12 * max(size, 1)


@law
@given(count=st.integers(2, 6), t=st.floats(0, 1), dtype=st.sampled_from(DTYPES))
def test_a_bezier_curve_with_collinear_equally_spaced_points_is_a_line(count, t, dtype):
    a, b = draw(3, torch.float64), draw(4, torch.float64)
    points = [states.lerp(a, b, j / (count - 1)) for j in range(count)]
    size = float(flat(b).abs().max() + flat(a).abs().max())
    assert gap(Bezier(*points)(t), Line(a, b)(t)) < 1e-12 * size
    low = [states.cast(p, dtype) for p in points]
    coarse = 4 * torch.finfo(dtype).eps * size + 1e-12 * size
    assert gap(Bezier(*low)(t), Line(low[0], low[-1])(t)) < coarse


def test_a_polygon_passes_through_its_points_bit_for_bit():
    points = [draw(i, torch.float32) for i in range(4)]
    for path in (Polygon(*points), Polygon(*points, knots=[0, 0.1, 0.7, 1])):
        for knot, point in zip(path.knots, points, strict=True):
            assert all(x is point[n] for n, x in path(knot).items())
        middle = (path.knots[1] + path.knots[2]) / 2
        assert torch.allclose(flat(path(middle)), (flat(points[1]) + flat(points[2])) / 2)


def test_a_polygon_goes_straight_at_constant_speed():
    points = [draw(i) for i in range(3)]
    path = Polygon(*points, knots=[0, 0.2, 1])
    assert gap(path(0.05), states.lerp(points[0], points[1], 0.25)) < 1e-12
    assert gap(path(0.8), states.lerp(points[1], points[2], 0.75)) < 1e-10
    at_knot = flat(path.tangent(0.2))  # that of the segment which begins there
    assert torch.allclose(at_knot, (flat(points[2]) - flat(points[1])) / 0.8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("t", [0.11, 0.45, 0.83])
def test_a_tangent_is_the_central_difference(kind, t):
    points = [draw(i) for i in range(4)]
    path, h = make_path(kind, points), 1e-5
    want = (flat(path(t + h)) - flat(path(t - h))) / (2 * h)
    assert torch.allclose(flat(path.tangent(t)), want, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_a_tangent_in_half_precision_is_rounded_once(kind, dtype):
    """Differences of nearly equal points: 5 b - 5 a term by term in bfloat16 would be noise."""
    a = {"w": torch.linspace(0.9, 1.1, 64).to(dtype)}
    points = [{"w": (a["w"].double() * (1 + 0.01 * i)).to(dtype)} for i in range(4)]
    exact = make_path(
        kind if kind != "rates" else "line", [states.cast(p, torch.float64) for p in points]
    )
    got = make_path(kind if kind != "rates" else "line", points).tangent(0.4)["w"]
    want = exact.tangent(0.4)["w"]
    assert got.dtype == dtype
    assert torch.allclose(got.double(), want, rtol=torch.finfo(dtype).eps, atol=1e-5)


def test_at_the_ends_a_bezier_curve_heads_for_its_bend():
    a, c, b = (draw(i) for i in range(3))
    path = Bezier(a, c, b)
    assert torch.allclose(flat(path.tangent(0)), 2 * (flat(c) - flat(a)))
    assert torch.allclose(flat(path.tangent(1)), 2 * (flat(b) - flat(c)))


def test_a_bend_is_named_by_its_number():
    a, b = draw(0), draw(1)
    with pytest.raises(StateMismatch, match="only in bend 2"):
        Bezier(a, b, {"w": torch.ones(1)}, b)


@pytest.mark.parametrize("kind", [Polygon, Bezier])
def test_one_point_is_no_curve(kind):
    with pytest.raises(UsageError, match=f"A {kind.__name__} needs two points"):
        kind(draw(0))
    assert repr(kind(draw(0), draw(1))) == f"{kind.__name__}(2 points)"


@pytest.mark.parametrize(
    "knots", [[0, 1], [0, 0.5, 0.9], [0.1, 0.5, 1], [0, 0, 1], [0, 2, 1], [0, float("nan"), 1], []]
)
def test_knots_increase_from_zero_to_one(knots):
    with pytest.raises(GridError, match="Knots increase from 0 to 1, one for each point"):
        Polygon(draw(0), draw(1), draw(2), knots=knots)


def test_a_curve_says_how_many_points_it_has():
    points = [{"x": torch.ones(1) * i} for i in range(3)]
    assert (
        repr(Polygon(*points)) == "Polygon(3 points)"
        and repr(Bezier(*points)) == "Bezier(3 points)"
    )


def test_refusals_of_points_and_knots_say_how_many():
    points = [{"x": torch.ones(1) * i} for i in range(3)]
    with pytest.raises(UsageError, match="A Bezier needs two points or more") as caught:
        Bezier(points[0])
    assert caught.value.got == "1"
    with pytest.raises(GridError, match="one for each point") as caught:
        Polygon(*points, knots=[0, 1])
    assert caught.value.got == "[0.0, 1.0] for 3 points"


def test_labels_and_vectors_of_spectral_normalisation_have_no_tangent():
    layer = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(2, 2))
    a = {k: v.detach().clone() for k, v in layer.state_dict().items()} | {"n": torch.tensor(1)}
    b = {k: v + 1 if v.ndim == 2 else v for k, v in a.items()}
    assert list(Polygon(a, b).tangent(0.5)) == ["bias", "parametrizations.weight.original"]


def test_at_a_knot_the_segment_that_begins_there_counts():
    points = [{"x": torch.tensor([v])} for v in (0.0, 1.0, 10.0)]
    path = Polygon(*points, knots=[0, 0.25, 1])
    assert [float(path.tangent(t)["x"]) for t in (0, 0.25, 1)] == pytest.approx([4, 12, 12])
