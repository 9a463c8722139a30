"""Planes: coordinates are lengths in weight space, and what they say is where one is."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from ridgeline import state as states
from ridgeline.errors import NonFinite, StateMismatch, UsageError
from ridgeline.paths import Plane, random_direction
from ridgeline.testing import Echo

law = settings(deadline=None, max_examples=25, derandomize=True)


def draw(seed, dtype=torch.float64, tied=False):
    rng = torch.Generator().manual_seed(seed)
    make = lambda *shape: torch.randn(shape, generator=rng, dtype=torch.float64).to(dtype)  # noqa: E731 (a name for a short function that is read in place)
    embed = make(5, 3)
    return {
        "embed.weight": embed,
        "head.weight": embed.detach() if tied else make(5, 3),
        "head.bias": make(5),
        "bn.running_mean": make(5),
        "bn.num_batches_tracked": torch.tensor(seed),
    }


def wide_net():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 32, 3), nn.BatchNorm2d(32), nn.Flatten(), nn.Linear(800, 40))
    return states.capture(net)


@law
@given(seed=st.integers(0, 999), dtype=st.sampled_from([torch.float32, torch.bfloat16]))
def test_the_corners_are_the_three_states_bit_for_bit(seed, dtype):
    a, b, c = (draw(seed + i, dtype) for i in range(3))
    plane = Plane(a, b, c)
    for (x, y), point in zip(plane.corners, (a, b, c), strict=True):
        assert all(z is point[n] for n, z in plane(x, y).items())


@law
@given(seed=st.integers(0, 999), tied=st.booleans())
def test_the_corners_lie_as_far_apart_as_the_states(seed, tied):
    points = [draw(seed + i, tied=tied) for i in range(3)]
    plane = Plane(*points)
    for i in range(3):
        for j in range(3):
            apart = np.linalg.norm(plane.corners[i] - plane.corners[j])
            assert apart == pytest.approx(states.distance(points[i], points[j]), abs=1e-9)
    assert (plane.corners[0] == 0).all() and plane.corners[1, 1] == 0
    assert plane.corners[1, 0] > 0 and plane.corners[2, 1] > 0


@law
@given(
    x=st.floats(-9, 9),
    y=st.floats(-9, 9),
    seed=st.integers(0, 999),
    tied=st.booleans(),
)
def test_projection_undoes_coordinates(x, y, seed, tied):
    plane = Plane(*(draw(seed + i, tied=tied) for i in range(3)))
    got = plane.project(plane(x, y))
    np.testing.assert_allclose(got[:2], (x, y), atol=1e-9)
    assert got[2] < 1e-6
    assert states.distance(plane.a, plane(x, y)) == pytest.approx(np.hypot(x, y), abs=1e-9)


def test_projection_of_float32_states_is_sharp():
    plane = Plane(*(draw(i, torch.float32, tied=True) for i in range(3)))
    for corner, point in zip(plane.corners, (plane.a, plane.b, plane.c), strict=True):
        np.testing.assert_allclose(plane.project(point), (*corner, 0), atol=1e-6)


@law
@given(seed=st.integers(0, 999), far=st.floats(0.01, 10))
def test_the_distance_off_the_plane_is_pythagoras(seed, far):
    a, b, c = (draw(seed + i) for i in range(3))
    plane = Plane(a, b, c)
    names = list(states.coordinates(a))
    flat = lambda s: np.concatenate([s[n].numpy().ravel() for n in names])  # noqa: E731 (a name for a short function that is read in place)
    basis = np.stack([flat(b) - flat(a), flat(c) - flat(a)], 1)
    away = flat(draw(seed + 3))
    away -= basis @ np.linalg.lstsq(basis, away, rcond=None)[0]
    away *= far / np.linalg.norm(away)
    point, at = dict(plane(0.7, -0.4)), 0
    for n in names:
        size = point[n].numel()
        step = torch.from_numpy(away[at : at + size].copy()).reshape(point[n].shape)
        point[n], at = point[n] + step, at + size
    np.testing.assert_allclose(plane.project(point), (0.7, -0.4, far), rtol=1e-6, atol=1e-7)


def test_what_is_at_a_grid_point_is_the_grid_point():
    """The peers' bug: rows of a plane that were evaluated elsewhere than labelled."""
    plane = Plane(Echo.at(0, 0), Echo.at(1, 0), Echo.at(0, 1))
    x, y = plane.axes(7, margin=0.5)
    at = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    across = plane.combination(at)
    seen = np.array([across.state(k)["point"].numpy() for k in range(len(across))])
    np.testing.assert_allclose(seen, at, rtol=0, atol=1e-15)
    seen_by_call = np.array([plane(u, v)["point"].numpy() for u, v in at])
    np.testing.assert_array_equal(seen, seen_by_call)


def test_axes_frame_the_states():
    plane = Plane(Echo.at(0, 0), Echo.at(4, 0), Echo.at(-1, 2))
    x, y = plane.axes(11, margin=0.2)
    assert (len(x), len(y)) == (11, 11)
    np.testing.assert_allclose((x[0], x[-1], y[0], y[-1]), (-2, 5, -1, 3))
    np.testing.assert_allclose(np.diff(x), np.diff(x)[0])


def test_rows_sum_to_one_and_labels_are_of_the_nearest_corner():
    plane = Plane(*(draw(i) for i in range(3)))
    across = plane.combination(np.random.default_rng(0).normal(size=(20, 2)) * 5)
    np.testing.assert_allclose(across.tables[0].sum(1), 1, atol=1e-12)
    for k in range(20):
        label = int(across.state(k)["bn.num_batches_tracked"])
        assert label == int(np.argmax(across.tables[0][k]))


def test_refusals():
    a, b, c = (draw(i) for i in range(3))
    with pytest.raises(UsageError, match="do not lie on one line"):
        Plane(a, b, states.lerp(a, b, 0.3))
    for flat in ((a, a, b), (a, b, a), (a, b, b)):
        with pytest.raises(UsageError, match=r"do not lie on one line\. Got \|b-a\|="):
            Plane(*flat)
    with pytest.raises(StateMismatch, match="only in c"):
        Plane(a, b, {**c, "extra": torch.ones(1)})
    with pytest.raises(NonFinite, match="of c must"):
        Plane(a, b, {**c, "head.bias": c["head.bias"] / 0})
    with pytest.raises(UsageError, match=r"pairs \(x, y\)\. Got shape \(3,\)"):
        Plane(a, b, c).combination([0, 1, 2])
    with pytest.raises(StateMismatch, match="the plane and the state"):
        Plane(a, b, c).project({"w": torch.ones(1)})


# --- random directions -------------------------------------------------------------------------


def test_a_direction_has_mean_zero_and_unit_spread():
    s = {"w": torch.ones(200, 200)}
    d = random_direction(s, seed=0, normalise="none")["w"]
    assert abs(float(d.mean())) < 4 / 200
    assert float(d.std()) == pytest.approx(1, abs=0.02)


def test_every_filter_has_the_norm_of_its_filter():
    s = wide_net()
    d = random_direction(s, seed=1)
    for name in ("0.weight", "3.weight"):
        for i in range(len(s[name])):
            want = float(s[name][i].double().norm())
            assert float(d[name][i].double().norm()) == pytest.approx(want, rel=1e-5)


def test_vectors_and_statistics_stay_where_they_are():
    s = wide_net()
    d = random_direction(s, seed=1)
    for name, x in s.items():
        assert d[name].dtype == x.dtype and d[name].shape == x.shape
        assert bool(d[name].any()) == (x.ndim >= 2)


def test_vectors_move_if_asked_and_statistics_never():
    s = wide_net()
    d = random_direction(s, seed=1, ignore="nothing")
    moved = {n for n in s if d[n].any()}
    assert moved == {"0.weight", "0.bias", "1.weight", "3.weight", "3.bias"}  # 1.bias is zero
    for name in moved:
        assert float(d[name].norm()) == pytest.approx(float(s[name].norm()), rel=1e-4)


def test_by_layer_each_tensor_has_the_norm_of_the_tensor():
    s = wide_net()
    d = random_direction(s, seed=1, normalise="layer")
    assert float(d["0.weight"].norm()) == pytest.approx(float(s["0.weight"].norm()), rel=1e-5)
    rows = d["0.weight"].flatten(1).norm(dim=1) / s["0.weight"].flatten(1).norm(dim=1)
    assert float(rows.std()) > 0.01  # but not each filter


def test_a_direction_is_named_by_seed_and_index_alone():
    s, before = wide_net(), torch.random.get_rng_state()
    one = random_direction(s, seed=3)
    torch.randn(5)
    torch.random.set_rng_state(before)
    assert all(torch.equal(x, random_direction(s, seed=3)[n]) for n, x in one.items())
    alone = {"3.weight": s["3.weight"]}  # a tensor's numbers do not depend on the others
    assert torch.equal(random_direction(alone, seed=3)["3.weight"], one["3.weight"])
    for other in (random_direction(s, seed=4), random_direction(s, seed=3, index=1)):
        assert abs(states.cosine(one, other)) < 0.1
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_first_numbers_of_a_direction_are_pinned():
    d = random_direction({"w": torch.ones(2, 2)}, seed=0, normalise="none")["w"]
    np.testing.assert_allclose(
        d.flatten().numpy(), [-0.120883, -1.182061, -0.073161, 0.039062], atol=1e-5
    )


def test_tied_names_move_as_one():
    d = random_direction(draw(0, tied=True), seed=0)
    assert torch.equal(d["embed.weight"], d["head.weight"]) and d["embed.weight"].any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_direction_of_a_half_precision_state_is_one_too(dtype):
    s = states.cast(wide_net(), dtype)
    d = random_direction(s, seed=0)
    assert d["3.weight"].dtype == dtype
    assert float(d["3.weight"].float().norm()) == pytest.approx(
        float(s["3.weight"].float().norm()), rel=1e-2
    )


def test_a_random_plane_is_about_its_centre():
    s = wide_net()
    plane = Plane.random(s, seed=5)
    assert all(x is s[n] for n, x in plane(0, 0).items())
    directions = [random_direction(s, seed=5, index=i) for i in range(2)]
    for (x, y), d in zip(((1, 0), (0, 1)), directions, strict=True):
        for name, moved in plane(x, y).items():
            assert torch.allclose(moved, s[name] + d[name], atol=1e-6)
    mixed = plane(-0.5, 0.25)["0.weight"]
    both = s["0.weight"] - 0.5 * directions[0]["0.weight"] + 0.25 * directions[1]["0.weight"]
    assert torch.allclose(mixed, both, atol=1e-6)
    assert plane.combination([[0, 0], [3, -2]]).moving == {"0.weight", "3.weight"}
    assert torch.equal(Plane.random(s, seed=5).b["0.weight"], plane.b["0.weight"])
    assert not torch.equal(Plane.random(s, seed=6).b["0.weight"], plane.b["0.weight"])


def test_the_axes_of_a_random_plane_reach_as_far_to_each_side_in_filter_norms():
    plane = Plane.random(wide_net(), seed=5)
    for axis in plane.axes(25):
        assert axis[0] == -1 and axis[-1] == 1 and axis[12] == 0
        assert np.array_equal(axis, -axis[::-1])
    assert plane.axes(5, margin=0.25)[0].tolist() == [-1.5, -0.75, 0, 0.75, 1.5]
    assert plane.unit == "along a random direction, in filter norms"


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (0.7, -0.3), (-1.0, 1.0)])
def test_projection_undoes_the_coordinates_of_a_random_plane(x, y):
    centre = states.cast(wide_net(), torch.float64)
    plane = Plane.random(centre, seed=5)
    found = plane.project(plane(x, y))
    np.testing.assert_allclose(found, (x, y, 0), atol=1e-6)


@pytest.mark.parametrize("wrong", [{"normalise": "filters"}, {"ignore": "biases"}])
def test_unknown_options_are_refused(wrong):
    with pytest.raises(UsageError, match="normalise is 'filter', 'layer' or 'none'"):
        random_direction(wide_net(), seed=0, **wrong)
    with pytest.raises(UsageError):
        Plane.random(wide_net(), **wrong)
