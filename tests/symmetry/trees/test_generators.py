"""Generators of soft trees: proof, forms, words, files, and what the network says of itself."""

from math import factorial, log

import numpy as np
import pytest
import torch

import ridgeline as rl
from forests import answers, drawn
from ridgeline.errors import NotASymmetry
from ridgeline.graph import Network
from ridgeline.io.symmetries import load_symmetry, save_symmetry
from ridgeline.nets import SoftTrees
from ridgeline.symmetry import canonical, prove
from ridgeline.symmetry.transform import Transform
from ridgeline.symmetry.trees import (
    Ensemble,
    LeafOffsets,
    Patterns,
    SplittingOrders,
    SubtreeFlips,
    TreeElement,
    TreePermutations,
    symmetries_of,
)

KINDS = ("perfect", "oblivious", "list", "modified-list")
X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("kind", KINDS)
def test_every_generator_moves_keeps_the_function_and_has_inverses(kind):
    e = Ensemble(kind, 2, 3)
    a = drawn(e, 1)
    want = answers(e, a, X).sum(1)
    for g in symmetries_of(e, 2):
        assert g.words() and g.units > 0
        still = {**a, **g.identity().changed(a)}
        assert all(torch.equal(still[n], x) for n, x in a.items())
        for action in (g.moving(0, 0), g.moving(0, 1), g.random(3), g.best(a, drawn(e, 2))):
            found = {**a, **action.changed(a)}
            assert set(action.changed(a)) == set(g.tensors())
            torch.testing.assert_close(answers(e, found, X).sum(1), want)
            back = {**found, **action.inverse().changed(found)}
            assert all(torch.allclose(back[n], x, rtol=1e-13, atol=1e-13) for n, x in a.items())
        assert any((x != a[n]).any() for n, x in g.moving(0, 0).changed(a).items())


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        ("perfect", 2 ** (3 * 3) * factorial(3)),
        ("oblivious", (2**2 * factorial(2)) ** 3 * factorial(3)),
        ("list", 2**3 * factorial(3)),
        ("modified-list", factorial(3)),
    ],
)
def test_the_network_says_its_symmetry_and_its_order_is_that_of_the_wreath_product(kind, order):
    symmetry = rl.symmetries(SoftTrees(4, 2, trees=3, depth=2, kind=kind), torch.zeros(2, 4))
    assert symmetry.elements == pytest.approx(log(order))
    assert not symmetry.groups  # the order of trees, as derived, is among what was declared
    names = [g.name for g in symmetry.more]
    wanted = {
        "perfect": ["flips", "permutation", "offsets"],
        "oblivious": ["orders", "flips", "permutation", "offsets"],
        "list": ["flips", "permutation", "offsets"],
        "modified-list": ["permutation"],
    }
    assert names == wanted[kind]


def test_one_tree_of_one_split_has_a_flip_alone():
    (only,) = symmetries_of(Ensemble("oblivious", 1, 1), 2)
    assert isinstance(only, SubtreeFlips) and only.elements == pytest.approx(log(2))


def test_splits_turned_without_their_leaves_are_refused_by_name():
    network = SoftTrees(4, 2, trees=3, depth=1, kind="perfect")
    symmetry = rl.symmetries(network, X.float()).only("permutation")

    class Idle(SubtreeFlips):
        def by(self, **given):
            element = super().by(**given)  # negates splits, and leaves stay
            still = np.tile(np.arange(self.ensemble.ends), (self.ensemble.trees, 1))
            patterns = Patterns(element.patterns.nodes, element.patterns.signs, still)
            return TreeElement(self, self.ensemble, patterns, element.trees)

    with pytest.raises(NotASymmetry, match="'flips'"):
        prove(symmetry.adding(Idle(Ensemble("perfect", 1, 3))), Network(network), X.float())


@pytest.mark.parametrize("kind", KINDS)
def test_a_canonical_form_is_the_same_for_all_that_it_leads_to(kind):
    model = SoftTrees(4, 2, trees=3, depth=2, kind=kind).double()
    symmetry = rl.symmetries(model, X)
    a = {n: x.detach() for n, x in model.state_dict().items()}
    forms = [canonical(symmetry.random(s)(a), symmetry) for s in range(3)]
    assert all(torch.allclose(forms[0][n], f[n], rtol=1e-12, atol=1e-12) for f in forms for n in a)
    torch.testing.assert_close(torch.func.functional_call(model, forms[0], (X,)), model(X))


def test_the_best_offsets_are_those_of_least_distance():
    e = Ensemble("perfect", 2, 3)
    a, g = drawn(e, 1), LeafOffsets(e, 2)
    b = {**a, **g.random(1).changed(a)}
    assert torch.allclose({**b, **g.best(a, b).changed(b)}["leaves"], a["leaves"], atol=1e-14)
    assert abs(float(g.best(a, drawn(e, 2)).added.sum(0).abs().max())) < 1e-12


def test_they_are_matched_as_one_but_for_offsets_and_other_trees():
    orders, flips, trees, offsets = symmetries_of(Ensemble("oblivious", 2, 3), 2)
    both = orders.joined([flips, trees])
    assert both is not None and both.parts == ("orders", "flips", "permutation")
    assert both.elements == pytest.approx(orders.elements + flips.elements + trees.elements)
    assert orders.joined([offsets]) is None and offsets.joined([orders]) is None
    assert orders.joined([SubtreeFlips(Ensemble("oblivious", 2, 4))]) is None


def test_they_are_written_and_read_without_being_given(tmp_path):
    symmetry = rl.symmetries(SoftTrees(4, 2, trees=3), torch.zeros(2, 4))
    path = save_symmetry(symmetry, tmp_path / "s.json")
    found = load_symmetry(path)
    assert [type(g) for g in found.more] == [
        *(SplittingOrders, SubtreeFlips, TreePermutations, LeafOffsets)
    ]
    assert [g.plain() for g in found.more] == [g.plain() for g in symmetry.more]
    state = SoftTrees(4, 2, trees=3).state_dict()
    one, other = (s.random(5)(state) for s in (symmetry, found))
    assert all(torch.equal(one[n], x) for n, x in other.items())
    assert isinstance(found.random(0), Transform)
