"""Laws of every path: exact ends, exact combinations, true tangents."""

from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from ridgeline import state as states
from ridgeline.errors import GridError, NonFinite, StateMismatch, UnknownName, UsageError
from ridgeline.paths import Bezier, Combination, Line, Polygon, Power
from ridgeline.testing import Echo, check_path

law = settings(deadline=None, max_examples=25, derandomize=True)
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def draw(seed, dtype=torch.float64):
    rng = torch.Generator().manual_seed(seed)
    make = lambda *shape: torch.randn(shape, generator=rng, dtype=torch.float64).to(dtype)  # noqa: E731 (a name for a short function that is read in place)
    made = {
        "fc1.weight": make(3, 2),
        "fc1.bias": make(3),
        "cls_token": make(1, 4),
        "norm.running_mean": make(3),
        "norm.num_batches_tracked": torch.tensor(100 + seed),
        "fc2.weight": make(2, 3),
        "frozen": torch.arange(3.0).to(dtype),
    }
    made["fc1.bias"][0] = -0.0
    made["fc1.bias"][1] = 1e-3 * 10.0 ** (seed % 7)
    return made


def flat(s):
    return torch.cat([x.double().flatten() for x in s.values() if x.is_floating_point()])


def gap(p, q):
    return float((flat(p) - flat(q)).abs().max())


def make_path(kind, points):
    if kind == "line":
        return Line(points[0], points[-1])
    if kind == "rates":
        rates = {"fc1.bias": Power(1), "fc2.weight": Power(2), "cls_token": Power(3.5)}
        return Line(points[0], points[-1], rates=rates)
    if kind == "knots":
        knots = np.linspace(0, 1, len(points)) ** 1.7
        return Polygon(*points, knots=knots)
    return {"polygon": Polygon, "bezier": Bezier}[kind](*points)


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
@given(
    layers=st.sets(st.sampled_from(["fc1", "norm", "fc2", "cls_token", "fc1.bias"]), min_size=1),
    hold=st.sampled_from(["a", "b"]),
    seed=st.integers(0, 1000),
)
def test_only_the_chosen_layers_move(layers, hold, seed):
    a, b = draw(seed), draw(seed + 1)
    path = Line(a, b, layers=sorted(layers), hold=hold)
    held = a if hold == "a" else b
    moves = {n for n in a if any(n == x or n.startswith(f"{x}.") for x in layers)}
    start, end = ({n: (s if n in moves else held)[n] for n in a} for s in (a, b))
    check_path(path, a=start, b=end)
    across = path.combination([0, 0.3, 1])
    assert across.moving == moves
    assert all(across.tensor(n, 1) is held[n] for n in set(a) - moves if n != "frozen")


@law
@given(t=st.floats(-0.5, 1.5), hold=st.sampled_from(["a", "b"]), seed=st.integers(0, 1000))
def test_a_path_on_which_all_layers_move_is_the_whole_path(t, hold, seed):
    a, b = draw(seed), draw(seed + 1)
    whole, layered = Line(a, b), Line(a, b, layers=list(states.layers(a)), hold=hold)
    for s in (0, t, 1):
        assert all(torch.equal(x, layered(s)[n]) for n, x in whole(s).items())


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


# --- the formulas, written out in float64 ----------------------------------------------------


@law
@given(t=st.floats(-0.5, 1.5), dtype=st.sampled_from(DTYPES), seed=st.integers(0, 99))
def test_a_line_is_its_formula(t, dtype, seed):
    a, b = draw(seed, dtype), draw(seed + 1, dtype)
    exact = (1 - t) * flat(a) + t * flat(b)
    size = float(torch.maximum(flat(a).abs(), flat(b).abs()).max())
    coarse = max(torch.finfo(dtype).eps, 1e-15)
    assert (flat(Line(a, b)(t)) - exact).abs().max() <= 2 * coarse * size + 1e-7
    across = Line(a, b).combination([t]).state(0, dtype=torch.float64)
    assert all(x.dtype == torch.float64 for x in across.values() if x.is_floating_point())
    assert (flat(across) - exact).abs().max() <= 1e-14 * max(size, 1)


@law
@given(t=st.floats(0, 1), exponent=st.floats(1, 6))
def test_a_rate_moves_its_tensor_alone(t, exponent):
    a, b = draw(0), draw(1)
    at = Line(a, b, rates={"fc1.bias": Power(exponent)})(t)
    r = t**exponent
    want = (1 - r) * a["fc1.bias"] + r * b["fc1.bias"]
    assert torch.allclose(at["fc1.bias"], want, rtol=1e-12, atol=1e-12)
    want = (1 - t) * a["fc1.weight"] + t * b["fc1.weight"]
    assert torch.allclose(at["fc1.weight"], want, rtol=1e-12, atol=1e-12)


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


# --- tangent and length ----------------------------------------------------------------------


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


# --- what moves ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::ridgeline.errors.RidgelineWarning")
def test_equal_tensors_do_not_move(kind):
    points = [draw(i) for i in range(4)]
    across = make_path(kind, points).combination(np.linspace(0, 1, 5))
    assert across.moving == set(points[0]) - {"frozen"}
    assert make_path(kind, [points[0]] * 3).combination([0, 0.5, 1]).moving == set()


def test_integers_that_differ_follow_the_nearest_point():
    points = [draw(i) for i in range(3)]
    path, name = Polygon(*points), "norm.num_batches_tracked"
    at = [int(path(t)[name]) for t in (0, 0.2, 0.25, 0.5, 0.74, 0.75, 1)]
    assert at == [100, 100, 101, 101, 101, 102, 102]
    late = Line(points[0], points[1], rates={name: Power(2)})
    assert [int(late(t)[name]) for t in (0.5, 0.7, 0.71)] == [100, 100, 101]


def test_one_position_does_not_move():
    assert Line(draw(0), draw(1)).combination([0.3]).moving == set()


# --- a combination ---------------------------------------------------------------------------


def test_write_is_the_formula_in_the_dtype_of_out():
    a, c, b = (draw(i, torch.float32) for i in range(3))
    across = Bezier(a, c, b).combination([0, 0.3, 1])
    row = across.table("fc2.weight")[1]
    exact = sum(w * p["fc2.weight"].double() for w, p in zip(row, (a, c, b), strict=True))
    out = torch.empty(2, 3, dtype=torch.float64)
    assert across.write("fc2.weight", 1, out) is out
    assert torch.allclose(out, exact, rtol=1e-14, atol=1e-14)
    narrow = across.write("fc2.weight", 1, torch.empty(2, 3))
    assert torch.allclose(narrow.double(), exact, rtol=1e-6, atol=1e-6)
    assert torch.equal(across.write("fc2.weight", 2, torch.empty(2, 3)), b["fc2.weight"])


def test_two_terms_of_any_column_are_one_lerp():
    points = [draw(i) for i in range(4)]
    across = Polygon(*points).combination([0.9])
    exact = 0.3 * points[2]["fc1.weight"] + 0.7 * points[3]["fc1.weight"]
    got = across.write("fc1.weight", 0, torch.empty(3, 2, dtype=torch.float64))
    assert torch.allclose(got, exact, rtol=1e-13, atol=1e-13)


def test_a_vertex_gives_the_basis_bits():
    a, b = draw(0, torch.bfloat16), draw(1, torch.bfloat16)
    across = Line(a, b).combination([0, 1])
    assert across.tensor("fc1.bias", 0) is a["fc1.bias"]
    wide = across.tensor("fc1.bias", 0, dtype=torch.float32)
    assert torch.equal(wide, a["fc1.bias"].float()) and torch.signbit(wide[0])


def test_taking_positions_keeps_their_rows():
    across = make_path("rates", [draw(0), draw(1)]).combination(np.linspace(0, 1, 6))
    some = across.take([4, 1])
    assert len(some) == 2
    for name in ("fc1.weight", "fc2.weight", "cls_token", "norm.num_batches_tracked"):
        assert torch.equal(some.tensor(name, 0), across.tensor(name, 4))
        assert torch.equal(some.tensor(name, 1), across.tensor(name, 1))


def test_tables_that_are_no_affine_combinations_are_refused():
    basis = (draw(0), draw(1))
    with pytest.raises(UsageError, match="sum to one"):
        Combination(basis, (np.array([[0.5, 0.6]]),), {})
    with pytest.raises(UsageError, match=r"shape \(1, 3\) for 2 states"):
        Combination(basis, (np.array([[1.0, 0, 0]]),), {})
    with pytest.raises(UsageError, match="row per position"):
        Combination(basis, (np.array([[1.0, 0]]), np.array([[1.0, 0], [0, 1.0]])), {})


def test_a_position_that_is_no_number_is_refused():
    with pytest.raises(UsageError, match="sum to one"):
        Line(draw(0), draw(1))(float("nan"))


# --- coordinates equal the labelled grid -----------------------------------------------------


def test_what_is_at_a_position_is_the_position():
    """The peers' bug: labels of the axes that were not where the model was."""
    path, t = Line(Echo.at(0, 1), Echo.at(1, 0)), np.linspace(0, 1, 26)
    seen = np.array([path(s)["point"].numpy() for s in t])
    np.testing.assert_array_equal(seen[:, 0], t)
    np.testing.assert_allclose(seen[:, 1], 1 - t, atol=1e-16)


# --- refusals --------------------------------------------------------------------------------


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


def test_names_of_rates_and_layers_must_exist():
    a, b = draw(0), draw(1)
    with pytest.raises(UnknownName, match=r"Did you mean 'fc1\.bias'"):
        Line(a, b, rates={"fc1.bais": Power(2)})
    with pytest.raises(UnknownName, match="Did you mean 'fc1'"):
        Line(a, b, layers=["fc11"])
    with pytest.raises(UsageError, match=r"'a' or 'b'\. Got 'c'"):
        Line(a, b, hold="c")
    with pytest.raises(UsageError, match="at least 1"):
        Power(0.5)
    with pytest.raises(UsageError, match="at least 1"):
        Power(float("nan"))


def test_tied_names_move_together_though_one_is_named():
    x, y = torch.ones(2, 2), torch.zeros(2, 2)
    a, b = ({"embed": z, "head": z.detach(), "w": z.clone()} for z in (x, y))
    across = Line(a, b, layers=["head"]).combination([0, 0.5, 1])
    assert across.moving == {"embed", "head"}
    rated = Line(a, b, rates={"head": Power(2)})(0.5)
    assert float(rated["embed"][0, 0]) == float(rated["head"][0, 0]) == 0.75


def test_the_callers_dicts_may_change_afterwards():
    a, b = draw(0), draw(1)
    path = Line(a, b)
    a.clear()
    assert set(path(0)) == set(b)
