"""Affine combinations of a few states, which every path is to the engine."""

import numpy as np
import pytest
import torch

from paths.points import draw, make_path
from ridgeline.errors import UsageError
from ridgeline.paths import Bezier, Combination, Line, Polygon, Power

KINDS = ["line", "rates", "polygon", "knots", "bezier"]


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


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_tensor_has_the_type_that_is_asked_for_and_else_its_own(dtype):
    a, b = ({"x": torch.tensor([v], dtype=dtype)} for v in (0.1, 0.4))
    middle = Line(a, b).combination([0.25])
    assert middle.tensor("x", 0).dtype is dtype
    got = middle.tensor("x", 0, dtype=torch.float64)
    assert got.dtype is torch.float64
    assert float(got) == pytest.approx(0.75 * float(a["x"]) + 0.25 * float(b["x"]), rel=1e-15)


def test_single_precision_is_mixed_in_single_precision():
    a, b = ({"x": torch.tensor([v])} for v in (1.0, 2.0))
    assert float(Line(a, b).combination([1 / 3]).tensor("x", 0)) == float(
        torch.lerp(a["x"], b["x"], 1 / 3)
    )


def test_infinities_stay_in_a_sum_of_three():
    inf = torch.inf
    points = [{"m": torch.tensor([-inf, float(v)])} for v in (1, 2, 6)]
    got = Bezier(*points).combination([0.5]).tensor("m", 0)
    assert got.tolist() == [-inf, 0.25 * 1 + 0.5 * 2 + 0.25 * 6]


def test_vectors_of_spectral_normalisation_are_of_each_positions_weight():
    torch.manual_seed(0)
    layers = [torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(3, 3)) for _ in "ab"]
    ends = [{k: v.detach() for k, v in layer.state_dict().items()} for layer in layers]
    found = Line(*ends).combination([0.25, 0.5, 0.75])
    for k in (0, 1, 2, 1):
        weight, u, v = (
            found.tensor(f"parametrizations.weight.{n}", k).double()
            for n in ("original", "0._u", "0._v")
        )
        assert float(u @ weight @ v) == pytest.approx(float(torch.linalg.norm(weight, 2)), rel=1e-5)


def test_the_label_of_two_equal_shares_is_the_laters():
    a, b = ({"x": torch.ones(1) * i, "n": torch.tensor(i)} for i in (1, 2))
    found = Line(a, b).combination([0.4, 0.5, 0.6])
    assert [int(found.tensor("n", k)) for k in range(3)] == [1, 2, 2]
