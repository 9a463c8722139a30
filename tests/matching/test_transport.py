"""Optimal transport: exact plans are permutations, soft ones approach them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline.errors import UsageError
from ridgeline.matching import align
from ridgeline.matching.transport import OptimalTransport, mix, plan
from wreaths import CASES, chain, drawn, heads


# Not of "stream": its own weight is linearised, so that one pass need not do.
@pytest.mark.parametrize("case", [c for c in CASES if c != "stream"])
def test_a_planted_element_is_found_in_one_pass(case):
    symmetry, shapes = CASES[case]()
    a = drawn(shapes, 0)
    found = align(a, symmetry.random(1)(a), symmetry, by=OptimalTransport())
    assert found.after == 0 and found.transform is not None
    assert found.matched.objective["cost"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("case", ["chain", "joined", "heads", "three"])
def test_a_soft_plan_of_little_entropy_is_the_hard_one(case):
    symmetry, shapes = CASES[case]()
    a = drawn(shapes, 0)
    b = symmetry.random(1)(a)
    soft = align(a, b, symmetry, by=OptimalTransport(soft=True, regularisation=1e-3))
    assert soft.transform is None and soft.moved == {} and not soft.summary()["permutation"]
    for n in a:
        torch.testing.assert_close(soft.state[n], a[n], atol=1e-6, rtol=0)


def test_much_entropy_makes_all_units_their_mean():
    symmetry, shapes = chain(4, 5, 3)
    a, b = drawn(shapes, 0), drawn(shapes, 1)
    found = align(a, b, symmetry, by=OptimalTransport(soft=True, regularisation=1e6))
    mean = b["0.kernel"].mean(1, keepdim=True).expand(-1, 5)
    torch.testing.assert_close(found.state["0.kernel"], mean, atol=1e-4, rtol=0)
    assert "units were mixed" in str(found)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(0, 2**31), st.floats(0.1, 10))
def test_law_plans_are_doubly_stochastic(n, seed, regularisation):
    cost = np.random.default_rng(seed).random((n, n))
    found = plan(cost, regularisation, 20_000)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-9)
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-3)


def test_the_plan_is_that_of_least_cost_plus_entropy():
    cost = np.random.default_rng(0).random((4, 4))
    heat = 0.3 * cost.mean()
    found = plan(cost, 0.3)
    free = lambda p: (p * cost).sum() + heat * (p * np.log(p)).sum()  # noqa: E731 (a name for a short function that is read in place)
    turn = np.array([[1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    for step in (1e-3, -1e-3):
        assert free(found) < free(found + step * turn)
        assert free(found) < free(found + step * np.roll(turn, (1, 2), (0, 1)))


@pytest.mark.parametrize("case", list(CASES))
def test_mixing_by_a_permutation_is_the_permutation(case):
    symmetry, shapes = CASES[case]()
    b = drawn(shapes, 0)
    for action in symmetry.random(5).actions:
        group = action.group
        plans = torch.eye(group.size)[torch.from_numpy(action.order)]
        for place in group.places:
            x = b[place.tensor]
            wanted = place.permute(x, action.order)
            torch.testing.assert_close(mix(place, x, plans), wanted, atol=0, rtol=0)


def test_heads_are_never_mixed():
    symmetry, shapes = heads()
    a, b = drawn(shapes, 0), drawn(shapes, 1)
    hard = align(a, b, symmetry, by=OptimalTransport())
    soft = align(a, b, symmetry, by=OptimalTransport(soft=True))
    assert all(torch.equal(hard.state[n], soft.state[n]) for n in a)


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="A regularisation is positive"):
        OptimalTransport(regularisation=0)
    with pytest.raises(UsageError, match="iterations is at least 1"):
        OptimalTransport(iterations=0)
