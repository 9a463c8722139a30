"""The straight line, with rates and with layers."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from paths.points import draw
from ridgeline import state as states
from ridgeline.errors import RidgelineWarning, UnknownName, UsageError
from ridgeline.paths import Line, Power
from ridgeline.paths.rates import TwoPowers
from ridgeline.testing import Echo, check_path

law = settings(deadline=None, max_examples=25, derandomize=True)


DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def flat(s):
    return torch.cat([x.double().flatten() for x in s.values() if x.is_floating_point()])


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


def test_what_is_at_a_position_is_the_position():
    """The peers' bug: labels of the axes that were not where the model was."""
    path, t = Line(Echo.at(0, 1), Echo.at(1, 0)), np.linspace(0, 1, 26)
    seen = np.array([path(s)["point"].numpy() for s in t])
    np.testing.assert_array_equal(seen[:, 0], t)
    np.testing.assert_allclose(seen[:, 1], 1 - t, atol=1e-16)


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


def ends(**more):
    a = {"l.w": torch.tensor([1.0]), "l.b": torch.tensor([2.0]), **more}
    return a, {k: v + 4 for k, v in a.items()}


@pytest.mark.parametrize("which", [0, 1])
def test_an_end_that_is_no_state_is_called_a_or_b(which):
    given = list(ends())
    given[which] = "file.pt"
    with pytest.raises(UsageError, match=f"Got {'ab'[which]} = 'file.pt'"):
        Line(*given)


def test_what_is_held_is_a_or_b():
    with pytest.raises(UsageError, match=r"`hold` is 'a' or 'b'.* Got 'c'"):
        Line(*ends(), hold="c")


def test_a_line_has_two_basis_states_and_a_fading_start_three():
    assert len(Line(*ends()).combination([0.5]).basis) == 2
    fading = Line(*ends(), rates={"l.b": TwoPowers(2)}).combination([0.5])
    assert len(fading.basis) == 3
    assert float(fading.basis[2]["l.b"]) == 0 and float(fading.basis[2]["l.w"]) == 1


def test_the_start_of_a_fading_rate_goes_to_zero_by_its_own_power():
    a, b = ends()
    rate = TwoPowers(2)
    path = Line(a, b, rates={"l.b": rate})
    t = 0.3
    want = rate.rest(1 - t) * 2.0 + rate(t) * 6.0
    assert float(path(t)["l.b"]) == pytest.approx(want)
    slope = -rate.rest.slope(1 - t) * 2.0 + rate.slope(t) * 6.0
    assert float(path.tangent(t)["l.b"]) == pytest.approx(slope)


def test_a_rate_without_curvature_has_no_acceleration_and_what_stands_still_has_none_to_tell():
    class Bare:
        def __call__(self, t):
            return t

        def slope(self, t):
            return 1.0

    with pytest.raises(UsageError, match="Bare without `curvature`"):
        Line(*ends(), rates={"l.b": Bare()}).acceleration(0.5)
    found = Line(*ends(), layers=["l.w"], rates={"l.w": Power(2)}).acceleration(0.5)
    assert {n: float(x) for n, x in found.items()} == {"l.w": 8.0, "l.b": 0.0}


def test_a_held_layer_stands_at_the_end_that_is_named():
    a, b = ends()
    for hold, end in (("a", a), ("b", b)):
        path = Line(a, b, layers=["l.w"], hold=hold)
        assert torch.equal(path(0.5)["l.b"], end["l.b"]) and float(path(0.5)["l.w"]) == 3.0


def test_a_layer_named_by_one_of_two_tied_names_takes_the_other_along():
    x, y = torch.ones(1), torch.zeros(1)
    path = Line({"e.w": x, "h.w": x, "o": y}, {"e.w": y, "h.w": y, "o": x}, layers=["e"])
    assert float(path(0.5)["h.w"]) == 0.5 and float(path(0.5)["o"]) == 0


def test_ends_that_are_one_are_told_at_the_callers_line():
    a, _ = ends()
    with pytest.warns(RidgelineWarning, match="a and b are the same tensors") as caught:
        Line(a, a)
    assert caught[0].filename == __file__


def test_a_tensor_of_labels_has_no_tangent():
    a, b = ends(n=torch.tensor(1))
    assert list(Line(a, b).tangent(0.5)) == ["l.w", "l.b"]
