"""Singular alignment against a double loop, and where its value is known."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

import zoo
from ridgeline.errors import NonFinite, StateMismatch, UsageError
from ridgeline.testing.symmetries import of_chain
from ridgeline.theory.sameness import singular_alignment

few = settings(max_examples=20, deadline=None)


def matrices(seed, *shapes):
    draw = torch.Generator().manual_seed(seed)
    return [
        {f"w{i}": torch.randn(s, generator=draw, dtype=torch.float64) for i, s in enumerate(shapes)}
        for _ in range(2)
    ]


@given(st.integers(0, 10**6), st.floats(0, 1))
@few
def test_it_is_the_double_sum(seed, gamma):
    a, b = matrices(seed, (5, 7), (6, 2, 3))
    found = singular_alignment(a, b, gamma=gamma)
    top = bottom = 0.0
    for name in a:
        pairs = []
        for x in (a[name], b[name]):
            u, s, vt = np.linalg.svd(x.numpy().reshape(len(x), -1), full_matrices=False)
            pairs.append([(u[:, i], vt[i]) for i in range(len(s)) if s[i] >= gamma * s[0]])
        total = sum((u @ p) * (v @ q) for u, v in pairs[0] for p, q in pairs[1])
        size = (len(pairs[0]) * len(pairs[1])) ** 0.5
        assert found.matrices[name] == pytest.approx(total / size, abs=1e-10)
        assert found.kept[name] == (len(pairs[0]), len(pairs[1]))
        assert abs(found.matrices[name]) <= 1 + 1e-12
        top, bottom = top + total, bottom + size
    assert found.overall == pytest.approx(top / bottom, abs=1e-10)


@given(st.integers(0, 10**6), st.floats(0, 0.9))
@few
def test_equal_matrices_align_wholly_and_rows_may_be_columns(seed, gamma):
    a, b = matrices(seed, (5, 8))
    assert singular_alignment(a, a, gamma=gamma).overall == pytest.approx(1)
    opposite = {n: -x for n, x in a.items()}
    assert singular_alignment(a, opposite, gamma=gamma).overall == pytest.approx(-1)
    turned = ({n: x.T for n, x in s.items()} for s in (a, b))
    one, two = singular_alignment(a, b, gamma=gamma), singular_alignment(*turned, gamma=gamma)
    assert one.overall == pytest.approx(two.overall, abs=1e-9)


def test_a_permutation_lowers_it_and_its_inverse_restores_it():
    model = zoo.Mlp(20, 60, 60, 10)
    a = model.state_dict()
    moved = of_chain(model, ["0", "2", "4"]).random(0)
    b = moved(a)
    assert singular_alignment(a, b).overall < 0.2
    assert singular_alignment(a, moved.inverse()(b)).overall == pytest.approx(1)
    assert "0.weight: " in str(singular_alignment(a, b))


def test_zero_matrices_and_refusals():
    a, b = matrices(0, (3, 3))
    zero = {"w0": torch.zeros(3, 3, dtype=torch.float64)}
    assert np.isnan(singular_alignment(a, zero).overall)
    with pytest.raises(UsageError, match="gamma"):
        singular_alignment(a, b, gamma=1.5)
    with pytest.raises(UsageError, match="matrix"):
        singular_alignment({"b": torch.ones(3)}, {"b": torch.ones(3)})
    with pytest.raises(StateMismatch):
        singular_alignment(a, {"w0": b["w0"][:2]})
    with pytest.raises(NonFinite, match="b must"):
        singular_alignment(a, {"w0": b["w0"] * float("nan")})
