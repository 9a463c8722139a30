"""Arithmetic on states, against numpy in float64."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from points import COORDINATES, Tied, draw, flat
from ridgeline import state
from ridgeline.errors import StateMismatch, UsageError

law = settings(deadline=None, max_examples=40, derandomize=True)


HALF = [torch.float16, torch.bfloat16]


def bits(x):
    return x.contiguous().flatten().view(torch.uint8).tolist()


@pytest.mark.parametrize("dtype", [*HALF, torch.float32, torch.float64])
def test_the_ends_of_a_lerp_are_the_given_bits(dtype):
    a, b = draw(0, dtype), draw(1, dtype)
    a["fc1.bias"][0], b["fc1.bias"][0] = -0.0, 0.0
    a["fc1.bias"][1], b["fc1.bias"][1] = 1e-30, 1e4  # (b - a) + a would round a away
    for t, end in ((0, a), (0.0, a), (1, b), (1.0, b)):
        got = state.lerp(a, b, t)
        assert list(got) == list(end)
        assert all(bits(got[k]) == bits(end[k]) and got[k].dtype == end[k].dtype for k in end)


@law
@given(
    seed=st.integers(0, 2**16),
    t=st.floats(0, 1),
    dtype=st.sampled_from(HALF),
    far=st.booleans(),
)
def test_half_precision_is_rounded_once(seed, t, dtype, far):
    """Within half a unit in the last place of the result, and float32's own rounding."""
    a, b = draw(seed, dtype), draw(seed + 1, dtype, 50.0 if far else 1.0)
    got = state.lerp(a, b, t)
    for name in COORDINATES:
        x, y = a[name].double(), b[name].double()
        exact = (1 - t) * x + t * y
        assert got[name].dtype == dtype
        exponent = torch.frexp(exact.abs().clamp_min(torch.finfo(dtype).tiny)).exponent
        ulp = torch.finfo(dtype).eps * torch.exp2(exponent.double() - 1)
        rounding = 4 * 2.0**-24 * torch.maximum(x.abs(), y.abs())
        assert ((got[name].double() - exact).abs() <= ulp / 2 + rounding).all()


def test_half_precision_is_computed_wider():
    """In float16 itself 60000 + 60000 overflows on the way."""
    a = {"w": torch.tensor([60000.0], dtype=torch.float16)}
    b = {"w": torch.tensor([-60000.0], dtype=torch.float16)}
    assert float(state.lerp(a, b, 0.5)["w"]) == 0
    assert torch.isfinite(state.scale(state.lerp(a, b, 0.1), 1.2)["w"]).all()


def test_labels_come_from_the_nearer_end_and_keep_their_type():
    a, b = draw(2), draw(3)
    for t, end in ((0.0, a), (0.49, a), (0.5, b), (1.0, b)):
        got = state.lerp(a, b, t)
        for name in ("norm.num_batches_tracked", "mask"):
            assert torch.equal(got[name], end[name]) and got[name].dtype == end[name].dtype


def test_nothing_is_written_to():
    a, b = draw(0), draw(1)
    kept = [{k: x.clone() for k, x in s.items()} for s in (a, b)]
    for made in (state.lerp(a, b, 0.3), state.add(a, b, 2), state.subtract(a, b)):
        made["fc1.weight"].add_(1)
    state.scale(a, 3)["scale"].add_(1)
    for s, before in zip((a, b), kept, strict=True):
        assert all(torch.equal(s[k], before[k]) for k in s)


@law
@given(seed=st.integers(0, 2**16), alpha=st.floats(-3, 3))
def test_sums_differences_and_multiples_are_numpys(seed, alpha):
    a, b = draw(seed, torch.float64), draw(seed + 1, torch.float64)
    x, y = flat(a, COORDINATES), flat(b, COORDINATES)
    close = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(flat(state.add(a, b, alpha), COORDINATES), x + alpha * y, **close)
    np.testing.assert_allclose(flat(state.subtract(a, b), COORDINATES), x - y, **close)
    np.testing.assert_allclose(flat(state.scale(a, alpha), COORDINATES), alpha * x, **close)


@pytest.mark.parametrize(
    "work",
    [
        lambda a, b: state.lerp(a, b, 0.3),
        state.add,
        state.subtract,
        lambda a, b: state.scale(a, 2),
        lambda a, b: state.cast(a, torch.float16),
    ],
    ids=["lerp", "add", "subtract", "scale", "cast"],
)
def test_ties_survive_arithmetic(work):
    a, b = (Tied().state_dict() for _ in range(2))
    made = work(a, b)
    assert state.ties(made) == [("embed.weight", "head.weight")]
    assert made["embed.weight"] is not a["embed.weight"]


def test_names_tied_in_one_state_only_do_not_stay_tied():
    a, b = state.capture(Tied()), state.capture(Tied())
    b["head.weight"] = b["head.weight"] + 1
    middle = state.lerp(a, b, 0.5)
    assert torch.allclose(middle["head.weight"], middle["embed.weight"] + 0.5, atol=1e-6)


@pytest.mark.parametrize("work", [state.add, state.subtract, state.compare])
def test_arithmetic_on_different_states_is_refused(work):
    a = draw(0)
    with pytest.raises(StateMismatch, match=r"- scale \(\)"):
        work(a, {k: x for k, x in a.items() if k != "scale"})


@pytest.mark.parametrize("t", [0, 0.5, 1])
def test_lerp_refuses_at_every_position(t):
    with pytest.raises(StateMismatch, match="fc1"):
        state.lerp(draw(0), {"other": torch.ones(2)}, t)


def test_a_mean_of_one_state_is_that_state_and_of_none_is_refused():
    x = torch.tensor([0.1, -2.0])
    assert torch.equal(state.mean([{"x": x}])["x"], x)
    with pytest.raises(UsageError, match=r"one state at least.* Got none") as caught:
        state.mean([])
    assert caught.value.got == "none"


def test_a_mean_of_three_is_numpys_and_labels_are_the_firsts():
    rows = np.array([[0.0, 3.0], [1.0, -1.0], [5.0, 4.0]])
    given = [{"x": torch.tensor(row), "n": torch.tensor(i)} for i, row in enumerate(rows)]
    made = state.mean(given)
    assert np.allclose(made["x"].numpy(), rows.mean(0), rtol=0, atol=1e-15)
    assert int(made["n"]) == 0


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_mean_refuses_any_state_of_another_shape(which):
    given = [{"x": torch.ones(2)} for _ in range(3)]
    given[which] = {"x": torch.ones(3)}
    with pytest.raises(StateMismatch):
        state.mean(given)


def test_names_tied_in_every_state_share_one_mean():
    def tied(value):
        x = torch.full((2,), value)
        return {"x": x, "y": x}

    made = state.mean([tied(1.0), tied(3.0)])
    assert made["x"] is made["y"] and made["x"].tolist() == [2.0, 2.0]


def test_infinities_of_one_sign_have_no_difference():
    a, b = torch.tensor([-torch.inf, 1.0]), torch.tensor([-torch.inf, 3.0])
    assert state.subtract({"m": b}, {"m": a})["m"].tolist() == [0.0, 2.0]


def test_a_sum_takes_a_multiple_of_the_second():
    made = state.add({"x": torch.tensor([1.0])}, {"x": torch.tensor([4.0])}, alpha=-0.5)
    assert made["x"].tolist() == [-1.0]


def test_halves_are_computed_in_single_and_doubles_stay():
    assert state.wide(torch.ones(1, dtype=torch.bfloat16)).dtype is torch.float32
    assert state.wide(torch.ones(1, dtype=torch.float64)).dtype is torch.float64
    assert state.wide(torch.ones(1, dtype=torch.int8)).dtype is torch.int8
