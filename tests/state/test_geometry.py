"""Norms, distances and angles of states, against numpy in float64."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from points import COORDINATES, Tied, draw, flat
from ridgeline import state
from ridgeline.errors import UsageError

law = settings(deadline=None, max_examples=40, derandomize=True)


HALF = [torch.float16, torch.bfloat16]


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


def test_minus_infinity_in_both_counts_as_nothing_and_in_one_is_seen():
    inf = torch.inf
    a, b = torch.tensor([-inf, 1.0]), torch.tensor([-inf, 4.0])
    assert state.distance({"m": a}, {"m": b}) == 3.0
    assert state.norm({"m": a}) == 1.0
    assert state.distance({"m": a}, {"m": torch.tensor([0.0, 4.0])}) == inf
    assert state.distance({"m": torch.tensor([1.0, -inf])}, {"m": torch.tensor([0.0, 4.0])}) == inf


def test_long_tensors_are_summed_piece_by_piece():
    x = torch.arange(300_000, dtype=torch.float32)
    assert state.dot({"x": x}, {"x": x}) == float(x.double() @ x.double())


def test_an_angle_about_an_origin_is_the_right_one():
    a, b, o = ({"x": torch.tensor(v)} for v in ([2.0, 1.0], [1.0, 2.0], [1.0, 1.0]))
    assert state.angle(a, b, origin=o) == pytest.approx(np.pi / 2)
    assert state.cosine(a, b) == pytest.approx(0.8)


def test_a_comparison_is_relative_to_the_first():
    found = state.compare({"l.x": torch.tensor([3.0, 4.0])}, {"l.x": torch.tensor([3.0, 9.0])})
    assert found["l"].relative == found[""].relative == 1.0
    assert (found["l"].size, found["l"].norm_a, found["l"].distance) == (2, 5.0, 5.0)
    zero = state.compare({"x": torch.zeros(1)}, {"x": torch.ones(1)})[""]
    assert np.isnan(zero.relative) and np.isnan(zero.cosine)


def test_a_complex_coordinate_counts_twice():
    a, b = {"x": torch.tensor([1j, 2.0])}, {"x": torch.tensor([1j, 1.0])}
    assert state.compare(a, b)[""].size == 4
