"""Independent networks beside permutations of one: where the answer is planted."""

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu

import zoo
from ridgeline.errors import StateMismatch, UsageError
from ridgeline.objective import Objective
from ridgeline.paths import Line
from ridgeline.profiles import profile
from ridgeline.testing.symmetries import of_chain
from ridgeline.theory.sameness import PermutationTest, random_permutation_test


@pytest.fixture(scope="module")
def setting():
    model = zoo.Mlp(6, 24, 24, 4)
    draw = torch.Generator().manual_seed(0)
    state = {n: torch.randn(x.shape, generator=draw) for n, x in model.state_dict().items()}
    model.load_state_dict(state)
    inputs, _ = zoo.vectors(6, 4)(200, draw)
    with torch.no_grad():  # labels that the network gets right
        objective = Objective(model, (inputs, model(inputs).argmax(1)))
    symmetry = of_chain(model, ["0", "2", "4"])
    return objective, symmetry, state


def test_permutations_of_one_network_are_found_alike(setting):
    """The conjecture planted: all networks are one, permuted."""
    objective, symmetry, state = setting
    copies = [symmetry.random(100 + i)(state) for i in range(6)]
    told = []
    found = random_permutation_test(
        copies, symmetry, objective, draws=2, progress=lambda *x: told.append(x)
    )
    low, high = found.interval()
    assert low < 0 < high
    assert 0.2 < found.superiority < 0.8
    assert found.independent.shape == (6, 6) and found.permuted.shape == (6, 2)
    assert told == [("lines", i, 27) for i in range(1, 28)]
    again = random_permutation_test(copies, symmetry, objective, draws=2)
    assert np.allclose(again.permuted, found.permuted, rtol=1e-5)
    assert "between permutations of one (2 draws each)" in str(found)


def test_networks_at_one_place_are_not_permutations_at_random(setting):
    objective, symmetry, state = setting
    draw = torch.Generator().manual_seed(1)
    near = [
        {n: x + 1e-3 * torch.randn(x.shape, generator=draw) for n, x in state.items()}
        for _ in range(4)
    ]
    found = random_permutation_test(near, symmetry, objective)
    assert found.interval()[1] < 0 and found.superiority == 0


def test_the_numbers_are_those_of_lines(setting):
    objective, symmetry, state = setting
    states = [symmetry.random(i)(state) for i in range(3)]
    found = random_permutation_test(states, symmetry, objective, draws=1, points=5, kind="half")
    along = profile(Line(states[0], states[2]), objective, points=5)
    assert found.independent[2, 0] == pytest.approx(along.barrier("half").height, rel=1e-5)
    assert found.difference == pytest.approx(found.pairs.mean() - found.permuted.mean())


def test_the_jackknife_by_hand():
    heights = np.array([[0, 1, 2, 4], [1, 0, 3, 5], [2, 3, 0, 7], [4, 5, 7, 0]], float)
    draws = np.array([[1, 2], [3, 3], [0, 4], [2, 6]], float)
    found = PermutationTest(heights, draws, "chord", "loss")
    rest = []
    for i in range(4):
        kept = [j for j in range(4) if j != i]
        pairs = [heights[j, k] for j in kept for k in kept if j < k]
        rest.append(np.mean(pairs) - np.mean(draws[kept]))
    rest = np.array(rest)
    assert found.stderr == pytest.approx((3 / 4 * ((rest - rest.mean()) ** 2).sum()) ** 0.5)
    # (0, 1) and (2, 3) are 1 and 7, first draws 0, 1, 2, 3.
    assert found.rank == pytest.approx(mannwhitneyu([1, 7], [0, 1, 2, 3]).pvalue)
    over = sum((x > y) + (x == y) / 2 for x in found.pairs for y in draws.ravel())
    assert found.superiority == pytest.approx(over / (6 * 8))
    two = PermutationTest(heights[:2, :2], draws[:2], "chord", "loss")
    assert np.isnan(two.stderr) and np.isnan(two.interval()[0])
    with pytest.raises(UsageError, match="Confidence"):
        found.interval(1.0)


def test_refusals(setting):
    objective, symmetry, state = setting
    with pytest.raises(UsageError, match="two networks"):
        random_permutation_test([state], symmetry, objective)
    with pytest.raises(UsageError, match="once at least"):
        random_permutation_test([state, state], symmetry, objective, draws=0)
    with pytest.raises(StateMismatch):
        random_permutation_test([{"w": torch.ones(1)}] * 2, symmetry, objective)
