"""Procrustes matching: planted rotations, heads, hidden units and circuits come back."""

import pytest
import torch

from ridgeline.errors import UsageError
from ridgeline.matching import Matched, WeightMatching, align
from ridgeline.matching.circuits import balancing, head_costs, match_heads, within
from ridgeline.matching.procrustes import Procrustes, gram, hidden_of
from ridgeline.symmetry import Transform
from ridgeline.symmetry.mixing import Mixing
from rotating import NAMES, drawn, element, mixing, network, outputs


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_planted_element_is_found(name, mixed):
    _, _, symmetry, stream = network(name)
    a = drawn(name)
    b = element(name, a, 5, mixed=mixed)(a)
    found = align(a, b, symmetry, by=Procrustes(stream=stream))
    assert found.before > 1
    assert found.after < 1e-8
    assert align(a, b, symmetry, by=WeightMatching()).after > 0.5  # permutations do not reach it


@pytest.mark.parametrize("name", NAMES)
def test_the_function_of_b_is_kept_and_a_never_left_farther(name):
    _, _, symmetry, stream = network(name)
    a, b = drawn(name, 1), drawn(name, 2)
    found = align(a, b, symmetry, by=Procrustes(stream=stream, rounds=5))
    torch.testing.assert_close(outputs(name, found.state), outputs(name, b), rtol=1e-8, atol=1e-10)
    assert found.matched.objective["after"] < found.matched.objective["before"]
    assert list(found.matched.history) == sorted(found.matched.history, reverse=True)
    for gain, _ in stream.gains:  # b was given a's
        torch.testing.assert_close(found.state[gain], a[gain])


def test_rotations_bring_nearer_than_permutations():
    _, _, symmetry, stream = network("vit")
    a, b = drawn("vit", 1), drawn("vit", 2)
    rotated = align(a, b, symmetry, by=Procrustes(stream=stream, circuits=False))
    permuted = align(a, b, symmetry)
    assert rotated.after < permuted.after


def test_head_costs_are_distances_of_products_and_blind_to_mixing():
    _, _, _, stream = network("vit")
    a, b = drawn("vit", 1), drawn("vit", 2)
    query_key = next(c for c in stream.circuits if c.group.name.endswith("query"))
    slow = torch.zeros(2, 2).double()

    def product(state, head):
        rows = slice(6 * head, 6 * head + 6)
        sides = []
        for layer in ("query", "key"):
            w, c = (state[f"blocks.0.attention.{layer}.{k}"][rows] for k in ("weight", "bias"))
            sides.append(torch.cat([w, c[:, None]], 1))
        return sides[0].T @ sides[1]

    for i in range(2):
        for j in range(2):
            slow[i, j] = (product(a, i) - product(b, j)).square().sum()
    torch.testing.assert_close(head_costs(a, b, query_key), slow)
    mixed = mixing(stream, 0)(b)
    torch.testing.assert_close(head_costs(a, mixed, query_key), slow)


def test_heads_are_found_whatever_their_channels_do():
    _, _, symmetry, stream = network("vit")
    a = drawn("vit")
    heads = stream.circuits[0].group.inside
    swapped = symmetry.transform({heads: [[1, 0]]})
    b = mixing(stream, 1)(swapped(a))
    found = match_heads(a, b, symmetry, stream.circuits)
    assert found.orders()[heads].tolist() == [[1, 0]]


def test_balanced_circuits_weigh_the_same_and_mixing_is_undone():
    _, _, _, stream = network("vit")
    a = drawn("vit")
    for circuit in stream.circuits:
        after = a | Mixing(circuit.group, circuit.powers, balancing(a, circuit)).changed(a)
        grams = []
        for side in (1, -1):
            places = zip(circuit.group.places, circuit.powers, strict=True)
            rows = torch.cat([p.units(after[p.tensor]) for p, e in places if e == side], -1)
            grams.append(rows @ rows.mT)
        torch.testing.assert_close(*grams)
        b = mixing(stream, 2)(a)
        back = Transform((within(a, b, circuit),), {})(b)
        for tensor in circuit.group.tensors():
            torch.testing.assert_close(back[tensor], a[tensor], rtol=1e-7, atol=1e-9)


def test_the_gram_leaves_gains_out_and_hidden_units_are_what_is_left():
    _, _, symmetry, stream = network("vit")
    a = drawn("vit")
    slow = torch.zeros(12, 12).double()
    for place in stream.group.places:
        if "norm" not in place.tensor or place.tensor.endswith("bias"):
            rows = place.units(a[place.tensor])[0]
            slow += rows @ rows.T
    torch.testing.assert_close(gram(a, a, stream), slow)
    assert [g.size for g in hidden_of(symmetry, stream).groups] == [48]


def test_a_strategy_without_a_permutation_is_refused():
    _, _, symmetry, stream = network("vit")
    a, b = drawn("vit", 1), drawn("vit", 2)

    class Mixes:
        def match(self, a, b, symmetry, *, seed, progress):
            return Matched(transform=None, state=dict(b))

    with pytest.raises(UsageError, match="permutation"):
        align(a, b, symmetry, by=Procrustes(stream=stream, by=Mixes()))
