"""Soft trees: planted elements, both algorithms of the paper by the obvious loop, refusals."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import nn

import ridgeline as rl
from forests import answers, drawn, overlaps, patterned
from ridgeline.errors import RidgelineWarning, StateMismatch, UnknownName, UsageError
from ridgeline.nets import SoftTrees
from ridgeline.symmetry.trees import Ensemble, patterns_of

DEPTHS = [
    *(("perfect", d) for d in (1, 2, 3, 6)),
    *(("oblivious", d) for d in (1, 2, 4)),
    *(("list", d) for d in (1, 4)),
    *(("modified-list", d) for d in (1, 4)),
]


def numbers(model):
    return {n: x.detach().clone() for n, x in model.state_dict().items()}


def discrete(symmetry):
    return symmetry.only(*(g.name for g in symmetry.generators if g.name != "offsets"))


@pytest.mark.parametrize(("kind", "depth"), DEPTHS)
@pytest.mark.parametrize("by", [None, rl.TreeWeightMatching()], ids=["in turn", "algorithm 2"])
def test_a_planted_element_is_recovered_exactly_and_the_barrier_is_zero(kind, depth, by):
    """K17, in float32."""
    model = SoftTrees(3, 2, trees=5, depth=depth, kind=kind, scale=3.0)
    draws = torch.Generator().manual_seed(1)
    x, y = torch.randn(64, 3, generator=draws), torch.randint(0, 2, (64,), generator=draws)
    symmetry = rl.symmetries(model, x[:2])
    a = numbers(model)
    b = discrete(symmetry).random(4)(a)
    found = rl.align(a, b, symmetry, by=by)
    assert all(torch.equal(found.state[n], v) for n, v in a.items())
    assert found.after == 0.0 and found.same_function is True
    objective = rl.Objective(model, (x, y))
    with pytest.warns(RidgelineWarning, match="same values"):  # to the last bit
        line = rl.Line(a, found.state)
    assert abs(rl.profile(line, objective, points=3).barrier().height) < 1e-6


def by_the_loop(e, a, b, weights, over):
    """Algorithm 2: all patterns, one assignment; returns the trees of b and their patterns."""
    u = patterns_of(e)
    flat = np.ones(len(u.nodes), bool)
    if over in ("permutation", "permutation+order"):
        flat &= (u.signs == 1).all(1)
    if over in ("permutation", "permutation+flip") and e.kind != "perfect":
        flat &= (u.nodes == np.arange(e.nodes)).all(1)
    allowed = np.flatnonzero(flat)
    every = np.stack(
        [overlaps(e, a, {**b, **patterned(e, k).changed(b)}, weights) for k in allowed]
    )
    p = linear_sum_assignment(-every.max(0))[1]
    i = np.arange(e.trees)
    return p, allowed[every[:, i, p].argmax(0)], every.max(0)[i, p].sum()


def built(e, b, p, q):
    found = {n: x.clone() for n, x in b.items()}
    for i, (j, k) in enumerate(zip(p, q, strict=True)):
        moved = {**b, **patterned(e, k).changed(b)}
        for n in found:
            found[n][i] = moved[n][j]
    return found


@pytest.mark.parametrize("kind", ["perfect", "oblivious", "list", "modified-list"])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("over", ["permutation", "all", "permutation+flip", "permutation+order"])
def test_algorithm_2_by_the_loop(kind, weighted, over):
    if (over == "permutation+order" and kind != "oblivious") or (
        over == "permutation+flip" and kind == "modified-list"
    ):
        return
    e = Ensemble(kind, 2, 4)
    a, b = drawn(e, 1), drawn(e, 2)
    weights = e.node_weights if weighted else torch.ones(e.nodes, dtype=torch.float64)
    p, q, value = by_the_loop(e, a, b, weights, over)
    model = SoftTrees(4, 2, trees=4, depth=2, kind=kind).double()
    symmetry = rl.symmetries(model, torch.zeros(2, 4, dtype=torch.float64))
    found = rl.align(a, b, symmetry, by=rl.TreeWeightMatching(over=over, weighted=weighted))
    want = built(e, b, p, q)
    assert all(torch.equal(found.state[n], x) for n, x in want.items())
    assert found.matched.objective["after"] == pytest.approx(value)
    before = np.trace(overlaps(e, a, b, weights))
    assert found.matched.objective["before"] == pytest.approx(before)


@pytest.mark.parametrize("kind", ["perfect", "oblivious", "list", "modified-list"])
def test_algorithm_1_by_the_loop(kind):
    e = Ensemble(kind, 2, 4)
    a, b = drawn(e, 1), drawn(e, 2)
    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    one, other = (answers(e, s, x) for s in (a, b))
    gain = torch.einsum("bic,bjc->ij", one, other).numpy()
    p = linear_sum_assignment(-gain)[1]
    every = np.stack(
        [
            overlaps(e, a, {**b, **patterned(e, k).changed(b)}, e.node_weights)
            for k in range(len(patterns_of(e).nodes))
        ]
    )
    q = every[:, np.arange(4), p].argmax(0)
    model = SoftTrees(4, 2, trees=4, depth=2, kind=kind).double()
    symmetry = rl.symmetries(model, x[:2])
    for by in (
        rl.TreeActivationMatching(model=model, data=x),
        rl.TreeActivationMatching(objective=rl.Objective(model, (x, torch.zeros(30).long()))),
    ):
        found = rl.align(a, b, symmetry, by=by)
        assert all(torch.equal(found.state[n], v) for n, v in built(e, b, p, q).items())
        assert found.matched.objective["after"] == pytest.approx(gain[np.arange(4), p].sum())


def test_samples_are_drawn_where_there_are_more():
    model = SoftTrees(4, 2, trees=3).double()
    x = torch.randn(50, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    symmetry = rl.symmetries(model, x[:2])
    a, b = (drawn(Ensemble("oblivious", 2, 3), s) for s in (1, 2))
    values = {
        n: rl.align(
            a, b, symmetry, by=rl.TreeActivationMatching(model=model, data=x, samples=n), seed=1
        ).matched.objective["before"]
        for n in (10, 50, 512)
    }
    assert values[50] == values[512] != values[10]


def test_trees_within_a_network_are_matched_by_what_reaches_them():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), SoftTrees(4, 2, trees=5, depth=2))
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    symmetry = rl.symmetries(model, x[:2])
    a = numbers(model)
    b = symmetry.only("2.orders", "2.flips", "2.permutation").random(1)(a)
    for by in (rl.TreeActivationMatching(model=model, data=x), rl.TreeWeightMatching()):
        found = rl.align(a, b, symmetry, by=by)
        assert found.after == 0.0
        assert "stay as they are: 0, 2.offsets" in found.matched.notes[-1]
    assert not model[2]._forward_pre_hooks


def test_centred_leaves_find_what_offsets_hide_and_b_gets_the_means_of_a():
    model = SoftTrees(3, 2, trees=6, depth=2, kind="perfect").double()
    x = torch.zeros(2, 3, dtype=torch.float64)
    symmetry = rl.symmetries(model, x)
    a = numbers(model)
    b = symmetry.random(2)(a)  # with offsets of the size of 1, far above the leaves' own
    found = rl.align(a, b, symmetry, by=rl.TreeWeightMatching(centre=True))
    assert found.after < 1e-12
    assert rl.align(a, b, symmetry, by=rl.TreeWeightMatching()).after > 1


def test_naive_is_the_identity():
    model = SoftTrees(3, 2, trees=4)
    symmetry = rl.symmetries(model, torch.zeros(2, 3))
    a = numbers(model)
    b = symmetry.random(1)(a)
    found = rl.align(a, b, symmetry, by=rl.TreeWeightMatching(over="naive"))
    assert all(torch.equal(found.state[n], x) for n, x in b.items())


def test_what_is_forbidden_stays():
    model = SoftTrees(3, 2, trees=4, depth=2, kind="perfect")
    symmetry = rl.symmetries(model, torch.zeros(2, 3)).without("flips")
    a, b = numbers(model), numbers(SoftTrees(3, 2, trees=4, depth=2, kind="perfect", seed=1))
    found = rl.align(a, b, symmetry, by=rl.TreeWeightMatching())
    rows = sorted(map(tuple, found.state["bias"].tolist()))
    assert rows == sorted(map(tuple, b["bias"].tolist()))  # every tree of b, as it was


@pytest.mark.parametrize("many", [None, rl.CycleConsistent(), rl.ToReference()])
def test_many_ensembles_come_into_one_frame(many):
    model = SoftTrees(3, 2, trees=5, depth=2)
    symmetry = rl.symmetries(model, torch.zeros(2, 3))
    a = numbers(model)
    moved = discrete(symmetry)
    given = [moved.random(s)(a) for s in range(3)]
    found = rl.align_many(given, symmetry, by=many)
    assert found.after < 1e-6 < 1e-1 < found.before
    carried = found.map(0, 2)(given[2])
    assert rl.align(given[0], carried, symmetry).before < 1e-5


def test_bad_input_is_refused_once():
    model = SoftTrees(3, 2, trees=4)
    symmetry = rl.symmetries(model, torch.zeros(2, 3))
    a = numbers(model)
    for other in (
        SoftTrees(3, 2, trees=5),
        SoftTrees(3, 2, trees=4, depth=3),
        SoftTrees(3, 2, trees=4, kind="perfect"),
    ):
        with pytest.raises(StateMismatch, match=r"weight|leaves"):
            rl.align(a, numbers(other), symmetry, by=rl.TreeWeightMatching())
    with pytest.raises(UnknownName, match=r"'flips'.*permutation\+flip"):
        rl.TreeWeightMatching(over="flips")
    plain = rl.nets.SoftTrees(3, 2, trees=4, kind="modified-list")
    lists = rl.symmetries(plain, torch.zeros(2, 3))
    state = numbers(plain)
    with pytest.raises(UsageError, match=r"turned subtrees.*4 modified-list trees of depth 2"):
        rl.align(state, state, lists, by=rl.TreeWeightMatching(over="permutation+flip"))
    with pytest.raises(UsageError, match=r"an offset.*one leaf of which is empty"):
        rl.align(state, state, lists, by=rl.TreeWeightMatching(centre=True))
    net = rl.nets.fcn(3, 4, 2)
    with pytest.raises(UsageError, match="has ensembles of soft trees"):
        rl.align(
            numbers(net), numbers(net), rl.symmetries(net, torch.zeros(2, 3)),
            by=rl.TreeWeightMatching(),
        )  # fmt: skip
    with pytest.raises(UsageError, match="through an objective, or through a model"):
        rl.TreeActivationMatching()
