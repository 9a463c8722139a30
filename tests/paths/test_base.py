"""Laws of every path, its length, and points that do not belong on one."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from paths.points import draw, make_path
from ridgeline import state as states
from ridgeline.errors import NonFinite, StateMismatch, UsageError
from ridgeline.paths import Bezier, Line, Polygon
from ridgeline.testing import Echo, check_path

law = settings(deadline=None, max_examples=25, derandomize=True)


DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


KINDS = ["line", "rates", "polygon", "knots", "bezier"]


@law
@given(
    kind=st.sampled_from(KINDS),
    count=st.integers(2, 5),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 1000),
)
def test_every_path_keeps_the_laws(kind, count, dtype, seed):
    points = [draw(seed + i, dtype) for i in range(count)]
    check_path(make_path(kind, points), a=points[0], b=points[-1])


@law
@given(seed=st.integers(0, 999), points=st.integers(2, 40))
def test_the_length_of_a_line_is_the_distance(seed, points):
    a, b = draw(seed), draw(seed + 1)
    assert Line(a, b).length(points) == pytest.approx(states.distance(a, b), rel=1e-9)


def test_lengths_of_bent_paths():
    a, c, b = Echo.at(0, 0), Echo.at(1, 1), Echo.at(2, 0)
    assert Polygon(a, c, b).length(3) == pytest.approx(2 * 2**0.5, rel=1e-12)
    # y = x (2 - x) / 2 from 0 to 2, by its integral
    arc = (np.sqrt(2) + np.arcsinh(1)) * 1.0
    assert Bezier(a, c, b).length(2001) == pytest.approx(arc, rel=1e-6)
    short, fine = Bezier(a, c, b).length(5), Bezier(a, c, b).length(50)
    assert 2 < short < fine < arc < 2 * 2**0.5
    layered = Line({**a, "x": torch.ones(2)}, {**b, "x": torch.zeros(2)}, layers=["x"])
    assert layered.length() == pytest.approx(2**0.5)


def test_a_tied_weight_counts_once_in_a_length():
    shared = [torch.randn(4, 3, generator=torch.Generator().manual_seed(i)) for i in range(2)]
    a, b = ({"embed": x, "head": x.detach()} for x in shared)
    assert Line(a, b).length() == pytest.approx(float((shared[0] - shared[1]).norm()), rel=1e-5)
    middle = Line(a, b)(0.5)
    assert middle["embed"] is middle["head"]


@pytest.mark.parametrize("kind", ["line", "polygon", "bezier"])
def test_points_that_do_not_belong_together_are_refused(kind):
    a, b = draw(0), draw(1)
    with pytest.raises(StateMismatch, match=r"- fc1\.bias \(3,\)"):
        make_path(kind, [a, {n: x for n, x in b.items() if n != "fc1.bias"}])
    b["cls_token"][0, 1] = float("inf")
    with pytest.raises(NonFinite, match=r"of b must.*cls_token \(0 NaN, 1 infinite\)"):
        make_path(kind, [a, b])
    for wrong in ({}, None, [a], torch.nn.Linear(1, 1)):
        with pytest.raises(UsageError, match=r"A state maps names.*Got b of type"):
            make_path(kind, [a, wrong])


def test_the_callers_dicts_may_change_afterwards():
    a, b = draw(0), draw(1)
    path = Line(a, b)
    a.clear()
    assert set(path(0)) == set(b)


def test_the_geometry_of_a_path_is_that_of_its_ends():
    a, b = {"x": torch.tensor([3.0, 0.0])}, {"x": torch.tensor([0.0, 4.0])}
    bend = {"x": torch.tensor([9.0, 9.0])}
    want = {"distance": 5.0, "norm_a": 3.0, "norm_b": 4.0, "cosine": 0.0}
    assert Polygon(a, bend, b).geometry() == want


@pytest.mark.parametrize(("which", "name"), [(0, "a"), (1, "bend 1"), (2, "b")])
def test_a_point_that_is_no_state_is_called_by_its_name(which, name):
    points = [{"x": torch.ones(1) * i} for i in range(3)]
    points[which] = 7
    with pytest.raises(UsageError, match=f"{name} of type int"):
        Polygon(*points)


@pytest.mark.parametrize(("which", "name"), [(1, "bend 1"), (2, "b")])
def test_a_point_of_another_shape_is_compared_with_the_first(which, name):
    points = [{"x": torch.ones(1) * i} for i in range(3)]
    points[which] = {"x": torch.ones(2)}
    with pytest.raises(StateMismatch, match=f"a and {name} must have"):
        Polygon(*points)


def test_a_length_may_be_along_positions_that_are_given():
    a, b = {"x": torch.tensor([0.0])}, {"x": torch.tensor([8.0])}
    assert Line(a, b).length([0.0, 0.25, 1.0]) == 8.0
    assert Line(a, b).length([0.25, 0.75]) == 4.0


def test_the_arc_is_the_length_up_to_each_position():
    a, b, c = ({"w": torch.tensor(x, dtype=torch.float64)} for x in ([0, 0], [3, 4], [3, 10]))
    assert Polygon(a, b, c).arc([0, 0.25, 0.5, 1]).tolist() == [0, 2.5, 5, 11]
    assert Polygon(a, b, c).arc(3)[-1] == Polygon(a, b, c).length(3)
