"""Trajectories planted with known coordinates, and Goodfellow et al.'s formulas by the book."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from ridgeline.errors import StateMismatch, UnknownName, UsageError
from ridgeline.measures import normalised_distance, trajectory

law = settings(deadline=None, max_examples=40, derandomize=True)


def draw(seed, dtype=torch.float32):
    rng = torch.Generator().manual_seed(seed)
    make = lambda *shape: torch.randn(shape, generator=rng).to(dtype)  # noqa: E731 (a name for a short function that is read in place)
    return {
        "fc1.weight": make(3, 2),
        "fc1.bias": make(3),
        "norm.running_mean": make(3) * 100,
        "norm.running_var": make(3).abs() * 100,
        "norm.num_batches_tracked": torch.tensor(seed),
        "running_head.weight": make(1),  # a layer of that name has weights like any other
        "fc2.weight": make(2, 3),
    }


WEIGHTS = ("fc1.weight", "fc1.bias", "running_head.weight", "fc2.weight")


def flat(state):
    return np.concatenate([state[n].double().flatten().numpy() for n in WEIGHTS])


@law
@given(seed=st.integers(0, 2**16), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_coordinates_are_those_of_the_definition(seed, dtype):
    a, b, *route = (draw(seed + i, dtype) for i in range(5))
    found = trajectory(route, a, b)
    length = np.linalg.norm(flat(b) - flat(a))
    u = (flat(b) - flat(a)) / length
    for i, state in enumerate(route):
        moved = flat(state) - flat(a)
        alpha = moved @ u
        assert found.along[i] == pytest.approx(alpha, rel=1e-9, abs=1e-9)
        assert found.share[i] == pytest.approx(alpha / length, rel=1e-9, abs=1e-9)
        assert found.away[i] == pytest.approx(np.linalg.norm(moved - alpha * u), rel=1e-9)
    assert found.distance == pytest.approx(length, rel=1e-12)


@law
@given(seed=st.integers(0, 2**16), dtype=st.sampled_from([torch.float16, torch.float32]))
def test_the_ends_are_exact(seed, dtype):
    a, b = draw(seed, dtype), draw(seed + 1, dtype)
    found = trajectory([a, b], a, b)
    assert found.share.tolist() == [0, 1] and found.away.tolist() == [0, 0]
    assert found.along.tolist() == [0, found.distance]


def test_a_planted_route_is_read_back():
    """Weights in the plane: a at (0, 0), b at (4, 0); a route of half circles."""
    at = lambda x, y: {"w": torch.tensor([x, y], dtype=torch.float64)}  # noqa: E731 (a name for a short function that is read in place)
    angles = np.linspace(np.pi, 0, 9)
    route = [at(2 + 2 * np.cos(s), 2 * np.sin(s)) for s in angles]
    found = trajectory(route, at(0.0, 0.0), at(4.0, 0.0))
    np.testing.assert_allclose(found.along, 2 + 2 * np.cos(angles), atol=1e-12)
    np.testing.assert_allclose(found.share * 4, found.along, atol=1e-12)
    np.testing.assert_allclose(found.away, 2 * np.sin(angles), atol=1e-12)
    beyond = trajectory([at(-1.0, 0.0), at(6.0, 1.0)], at(0.0, 0.0), at(4.0, 0.0))
    assert beyond.share.tolist() == [-0.25, 1.5] and beyond.away.tolist() == [0, 1]


def test_a_small_residual_far_along_is_not_lost():
    a = {"w": torch.zeros(2, dtype=torch.float64)}
    b = {"w": torch.tensor([1e6, 0.0], dtype=torch.float64)}
    near = {"w": torch.tensor([1e6, 1e-6], dtype=torch.float64)}
    assert trajectory([near], a, b).away[0] == pytest.approx(1e-6, rel=1e-6)


def test_tied_weights_count_once_and_statistics_not_at_all():
    w = [torch.ones(3) * i for i in (1.0, 2.0)]
    a, b = ({"embed": x, "head": x.detach(), "bn.running_mean": x * 9} for x in w)
    assert trajectory([], a, b).distance == pytest.approx(3**0.5)
    assert normalised_distance(a, b) == pytest.approx(1)


def test_a_normalised_distance_names_its_norm():
    a, b = draw(0), draw(1)
    gap = np.linalg.norm(flat(b) - flat(a))
    assert normalised_distance(a, b) == pytest.approx(gap / np.linalg.norm(flat(a)))
    assert normalised_distance(a, b, by="end") == pytest.approx(gap / np.linalg.norm(flat(b)))
    zero = {n: torch.zeros_like(x) for n, x in a.items()}
    assert normalised_distance(zero, b) == np.inf and np.isnan(normalised_distance(zero, zero))
    with pytest.raises(UnknownName, match="start"):
        normalised_distance(a, b, by="init")


def test_what_has_no_line_is_refused():
    a, b = draw(0), draw(1)
    with pytest.raises(UsageError, match="two different states"):
        trajectory([b], a, {**b, **{n: a[n] for n in WEIGHTS}})
    with pytest.raises(StateMismatch, match="only in state 1"):
        trajectory([b, {**b, "new": torch.ones(1)}], a, b)
    with pytest.raises(UsageError, match="at least one weight"):
        normalised_distance({"running_mean": torch.ones(2)}, {"running_mean": torch.ones(2)})
