"""Arithmetic on states, against numpy in float64."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from ridgeline import state
from ridgeline.errors import NonFinite, StateMismatch, UsageError, WrongKind

law = settings(deadline=None, max_examples=40, derandomize=True)
HALF = [torch.float16, torch.bfloat16]


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(5, 3), nn.Linear(3, 5)
        self.head.weight = self.embed.weight


def draw(seed, dtype=torch.float32, scale=1.0):
    rng = torch.Generator().manual_seed(seed)
    make = lambda *shape: (torch.randn(shape, generator=rng) * scale).to(dtype)  # noqa: E731 (a name for a short function that is read in place)
    return {
        "fc1.weight": make(4, 3),
        "fc1.bias": make(4),
        "norm.weight": make(4),
        "norm.running_mean": make(4),
        "norm.num_batches_tracked": torch.tensor(seed),
        "mask": torch.tensor([True, seed % 2 == 0]),
        "scale": make(),
    }


def flat(s, names):
    return np.concatenate([s[n].double().numpy().ravel() for n in names])


def bits(x):
    return x.contiguous().flatten().view(torch.uint8).tolist()


COORDINATES = ["fc1.weight", "fc1.bias", "norm.weight", "scale"]

# --- lerp ----------------------------------------------------------------------------------


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


# --- distances -----------------------------------------------------------------------------


@law
@given(seed=st.integers(0, 2**16), dtype=st.sampled_from([*HALF, torch.float32, torch.float64]))
def test_distances_and_angles_are_numpys(seed, dtype):
    a, b, o = draw(seed, dtype), draw(seed + 1, dtype), draw(seed + 2, dtype)
    x, y, z = (flat(s, COORDINATES) for s in (a, b, o))
    assert state.dot(a, b) == pytest.approx(x @ y, rel=1e-12, abs=1e-12)
    assert state.norm(a) == pytest.approx(np.linalg.norm(x), rel=1e-12)
    assert state.distance(a, b) == pytest.approx(np.linalg.norm(x - y), rel=1e-12)
    for p, q, origin in ((x, y, None), (x - z, y - z, o)):
        cosine = p @ q / np.linalg.norm(p) / np.linalg.norm(q)
        assert state.cosine(a, b, origin=origin) == pytest.approx(cosine, abs=1e-12)
        assert state.angle(a, b, origin=origin) == pytest.approx(np.arccos(cosine), abs=1e-7)


def test_a_named_subset_may_be_measured_alone():
    a, b = draw(0), draw(1)
    names = ["fc1.bias", "norm.running_mean"]
    gap = np.linalg.norm(flat(a, names) - flat(b, names))
    assert state.distance(a, b, names=names) == pytest.approx(gap)
    assert state.norm(a, names=iter(names)) == pytest.approx(np.linalg.norm(flat(a, names)))
    x, y = flat(a, names), flat(b, names)
    cosine = x @ y / np.linalg.norm(x) / np.linalg.norm(y)
    assert state.cosine(a, b, names=iter(names)) == pytest.approx(cosine)


def test_parallel_states_have_cosine_one_and_not_more():
    a = draw(5)
    assert state.cosine(a, state.scale(a, 3)) == pytest.approx(1)
    assert state.cosine(a, a) <= 1 and state.angle(a, a) == pytest.approx(0, abs=1e-7)
    assert state.angle(a, state.scale(a, -2)) == pytest.approx(np.pi, abs=1e-6)


def test_an_arrow_of_no_length_has_no_direction():
    a = draw(0)
    assert np.isnan(state.cosine(a, state.scale(a, 0)))
    assert np.isnan(state.angle(a, a, origin=a))


def test_the_norm_of_a_half_precision_checkpoint_neither_overflows_nor_stalls():
    many = {"w": torch.full((100_000,), 100.0, dtype=torch.float16)}
    assert state.norm(many) == pytest.approx(100 * np.sqrt(100_000), rel=1e-12)
    assert state.distance(many, state.scale(many, 0)) == pytest.approx(state.norm(many))


# --- what counts as a coordinate -----------------------------------------------------------


def test_statistics_and_labels_are_no_coordinates():
    a = draw(0)
    assert list(state.coordinates(a)) == COORDINATES
    assert "norm.running_mean" in list(state.coordinates(a, statistics=True))
    b = {**a, "norm.running_mean": a["norm.running_mean"] + 100}
    assert state.distance(a, b) == 0
    assert state.is_statistic("running_var") and not state.is_statistic("x.running_variable")


@pytest.mark.parametrize("take", [state.capture, nn.Module.state_dict], ids=["capture", "own"])
def test_a_tied_weight_is_one_coordinate(take):
    """`state_dict()` gives the two names two tensor objects on one storage."""
    a, b = take(Tied()), take(Tied())
    assert list(state.coordinates(a)) == ["embed.weight", "head.bias"]
    assert state.ties(a) == [("embed.weight", "head.weight")]
    names = ["embed.weight", "head.bias"]
    assert state.distance(a, b) == pytest.approx(np.linalg.norm(flat(a, names) - flat(b, names)))


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


def test_views_of_one_storage_are_no_ties():
    whole = torch.randn(4, 4)
    s = {"top": whole[:2], "low": whole[2:], "turned": whole.T, "whole": whole}
    assert state.ties(s) == []
    assert len(list(state.coordinates(s))) == 4
    assert state.ties({"x": torch.empty(0), "y": torch.empty(0)}) == []
    assert state.ties({"x": whole[:0], "y": whole[:0]}) == []


def test_capture_keeps_ties_and_shares_nothing():
    model = nn.Sequential(Tied(), nn.BatchNorm1d(5))
    model.register_buffer("scratch", torch.zeros(2), persistent=False)
    found = state.capture(model)
    assert list(found) == list(model.state_dict())
    assert found["0.embed.weight"] is found["0.head.weight"]
    held = {x.untyped_storage().data_ptr() for x in [*model.parameters(), *model.buffers()]}
    assert not held & {x.untyped_storage().data_ptr() for x in found.values()}
    assert not any(x.requires_grad for x in found.values())
    assert all(torch.equal(x, found[k]) for k, x in model.state_dict().items())


def test_cast_changes_floating_tensors_only():
    a = draw(4)
    low = state.cast(a, torch.bfloat16)
    assert low["fc1.weight"].dtype == torch.bfloat16
    assert low["norm.num_batches_tracked"].dtype == torch.int64 and low["mask"].dtype == torch.bool
    assert all(x is a[k] for k, x in state.cast(a).items())


# --- layers and comparison -----------------------------------------------------------------


def test_layers_are_modules_in_order():
    s = draw(0) | {"head.steps": torch.tensor(1), "block.0.fc.weight": torch.ones(2)}
    assert state.layers(s) == {
        "fc1": ["fc1.weight", "fc1.bias"],
        "norm": ["norm.weight", "norm.running_mean", "norm.num_batches_tracked"],
        "scale": ["scale"],
        "block.0.fc": ["block.0.fc.weight"],
    }


@law
@given(seed=st.integers(0, 2**16))
def test_a_comparison_per_layer_adds_up_to_the_whole(seed):
    a, b = draw(seed), draw(seed + 1)
    found = state.compare(a, b)
    assert list(found) == ["fc1", "norm", "scale", ""]
    whole, parts = found.pop(""), list(found.values())
    assert whole.size == sum(p.size for p in parts) == 12 + 4 + 4 + 1
    for name in ("distance", "norm_a", "norm_b"):
        total = sum(getattr(p, name) ** 2 for p in parts) ** 0.5
        assert getattr(whole, name) == pytest.approx(total, rel=1e-10)
    dots = sum(p.cosine * p.norm_a * p.norm_b for p in parts)
    assert whole.cosine == pytest.approx(dots / whole.norm_a / whole.norm_b, abs=1e-10)
    assert whole.distance == pytest.approx(state.distance(a, b), rel=1e-12)
    assert whole.relative == pytest.approx(state.distance(a, b) / state.norm(a), rel=1e-12)


def test_a_comparison_counts_a_tied_weight_once_and_names_no_empty_layer():
    found = state.compare(state.capture(Tied()), state.capture(Tied()))
    assert found[""].size == 5 * 3 + 5
    assert found["head"].size == 5
    norms = state.compare(*[{"n.running_mean": torch.ones(2), "w": torch.ones(3)}] * 2)
    assert list(norms) == ["w", ""]


def test_a_comparison_needs_something_to_compare():
    with pytest.raises(UsageError, match="at least one floating tensor"):
        state.compare({"n": torch.tensor(1)}, {"n": torch.tensor(1)})
    zero = {"w": torch.zeros(2)}
    assert np.isnan(state.compare(zero, zero)[""].relative)


# --- checks --------------------------------------------------------------------------------


def test_states_that_differ_are_refused_with_a_diff():
    a, b = draw(0), draw(1)
    b["fc2.bias"] = b.pop("fc1.bias")
    b["norm.weight"] = torch.ones(5)
    with pytest.raises(StateMismatch) as caught:
        state.check_same(a, b, names=("init", "final"))
    text = str(caught.value)
    for line in (
        "init and final must have the same tensors.",
        "- fc1.bias (4,)",
        "+ fc2.bias (4,)",
        "! norm.weight (4,) -> (5,)",
    ):
        assert line in text
    assert caught.value.missing == {"fc1.bias": (4,)} and caught.value.extra == {"fc2.bias": (4,)}


@pytest.mark.parametrize("work", [state.add, state.subtract, state.compare])
def test_arithmetic_on_different_states_is_refused(work):
    a = draw(0)
    with pytest.raises(StateMismatch, match=r"- scale \(\)"):
        work(a, {k: x for k, x in a.items() if k != "scale"})


@pytest.mark.parametrize("t", [0, 0.5, 1])
def test_lerp_refuses_at_every_position(t):
    with pytest.raises(StateMismatch, match="fc1"):
        state.lerp(draw(0), {"other": torch.ones(2)}, t)


def test_dtypes_that_differ_are_refused_with_how_to_convert():
    a = draw(0)
    with pytest.raises(StateMismatch, match=r"float32 -> torch\.float16") as caught:
        state.check_same(a, state.cast(a, torch.float16))
    assert "state.cast" in str(caught.value)


def test_twelve_differences_are_ten_lines_and_a_count():
    many = {f"w{i}": torch.ones(1) for i in range(12)}
    with pytest.raises(StateMismatch, match=r"\.\.\. and 2 more"):
        state.check_same(many, {})


def test_a_tensor_that_is_not_finite_is_named():
    a = draw(0)
    a["fc1.weight"][0, :2] = float("nan")
    a["fc1.bias"][1] = -float("inf")
    assert state.non_finite(a) == {"fc1.weight": (2, 0), "fc1.bias": (0, 1)}
    with pytest.raises(NonFinite, match=r"of b must.*fc1\.weight \(2 NaN, 0 infinite\)"):
        state.check_finite(a, "b")
    state.check_finite(draw(1))


# --- what is no state ------------------------------------------------------------------------


class Holder:
    def __init__(self, **parts):
        vars(self).update(parts)


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        (nn.Linear(2, 2), "state.capture"),
        ("a.pt", "Read the file"),
        (Holder(state=draw(0)), r"`\.state`"),
        (Holder(states=[draw(0)]), r"`\.states`"),
        ({"model": draw(0), "epoch": 3}, "'model' is no tensor.*finds the state"),
        ({}, "finds the state"),
        (3, "order of the arguments"),
    ],
)
def test_what_is_no_state_is_refused_with_where_the_state_is(given, remedy):
    with pytest.raises(WrongKind, match=f"b (of type|=).*{remedy}"):
        state.detached(given, "b")
    with pytest.raises(UsageError, match=f"state 1.*{remedy}"):
        state.check_states([draw(0), given])


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ({"a": draw(0), "b": draw(1)}, r"list\(states.values\(\)\)"),
        (draw(0), r"`\[state\]`"),
        ("a.pt", "Read the file"),
        (Holder(states=[draw(0)]), r"`\.states`"),
    ],
)
def test_several_states_are_a_list(given, remedy):
    with pytest.raises(WrongKind, match=f"as a list.*{remedy}"):
        state.check_states(given)
