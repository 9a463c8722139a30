"""Alignment checks what it is given and says what it did."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from ridgeline import state as states
from ridgeline.errors import NonFinite, StateMismatch, UsageError
from ridgeline.matching import (
    CycleConsistent,
    Matched,
    Rescaling,
    WeightMatching,
    align,
    align_many,
)
from ridgeline.matching.moved import Moved, moved_by
from ridgeline.nets import fcn
from ridgeline.symmetry import Mixing, Rescalable, Scaling, Transform, rescalable, symmetries
from ridgeline.symmetry.stacking import orders_of
from ridgeline.testing.symmetries import of_chain
from wreaths import chain, drawn, heads, three


@dataclass(frozen=True)
class Worst:
    """Promises, and does not keep it."""

    never_worse = True

    def match(self, a, b, symmetry, *, seed, progress):
        return Matched(
            transform=symmetry.random(seed), objective={"before": 2.0, "after": 1.0}, measure="joy"
        )


def test_the_function_of_a_real_network_is_kept_and_b_is_left_alone():
    make = lambda seed: fcn(20, 16, 12, 10, seed=seed)  # noqa: E731 (a name for a short function that is read in place)
    model = make(1)
    symmetry = of_chain(model, ["fc1", "fc2", "fc3"])
    a, b = states.capture(make(0)), states.capture(model)
    before = {n: x.clone() for n, x in b.items()}
    found = align(a, b, symmetry)
    assert found.after < found.before
    assert all(torch.equal(b[n], before[n]) for n in b)
    x = torch.randn(50, 20, generator=torch.Generator().manual_seed(0))
    wanted = model(x)
    model.load_state_dict(found.state)
    torch.testing.assert_close(model(x), wanted, atol=1e-5, rtol=1e-5)


def test_it_says_in_words_and_numbers_what_it_did():
    symmetry, shapes = heads()
    a = drawn(shapes, 0)
    found = align(a, symmetry.random(1)(a), symmetry)
    assert "Aligned by WeightMatching: distance" in str(found) and "100% nearer" in str(found)
    assert "of its units moved" in str(found)
    told = found.summary()
    assert told["by"] == "WeightMatching" and told["permutation"] is True
    assert told["distance"]["after"] == 0 and set(told["moved"]) == {"qk", "vo", "heads"}
    assert told["moved"]["qk"] == {"share": found.moved["qk"].share, "how": []}
    assert told["objective"]["after"] > told["objective"]["before"]


def test_the_shares_that_moved_are_those_of_the_collapsed_element():
    symmetry, shapes = three()
    g = symmetry.random(3)
    orders = orders_of(g @ symmetry.random(4) @ symmetry.random(4).inverse(), symmetry)
    assert all((orders[a.group.name] == a.order).all() for a in g.actions)


def test_other_networks_are_refused():
    symmetry, shapes = chain(3, 4, 2)
    a = drawn(shapes, 0)
    with pytest.raises(StateMismatch, match="must have the same tensors"):
        align(a, drawn(chain(3, 5, 2)[1], 0), symmetry)
    other = drawn(chain(3, 5, 2)[1], 0)
    with pytest.raises(StateMismatch, match="A symmetry is of one architecture"):
        align(other, other, symmetry)
    broken = {n: x.clone() for n, x in a.items()}
    broken["0.shift"][1] = float("nan")
    with pytest.raises(NonFinite, match=r"state b.*0\.shift \(1 NaN"):
        align(a, broken, symmetry)
    with pytest.raises(NonFinite, match="state a"):
        align(broken, a, symmetry)


def test_a_promise_not_to_be_worse_is_held_to():
    symmetry, shapes = chain(3, 4, 2)
    with pytest.raises(UsageError, match="Worst promises to be no worse than the identity"):
        align(drawn(shapes, 0), drawn(shapes, 1), symmetry, by=Worst())


def test_a_match_is_a_transform_or_a_state():
    with pytest.raises(UsageError, match="either a transform or a state"):
        Matched(transform=None)
    with pytest.raises(UsageError, match="maximise, minimise or none"):
        Matched(transform=None, state={}, goal="more")
    assert not Matched(transform=None, state={}, goal="none").worse
    assert Matched(transform=None, state={}, objective={"before": 1.0, "after": float("nan")}).worse


def test_tied_tensors_that_differ_are_refused():
    symmetry, shapes = chain(3, 4, 2)
    symmetry = replace(symmetry, shapes=shapes | {"copy": (3, 4)}, ties={"copy": "0.kernel"})
    a = drawn(shapes, 0)
    tied = a | {"copy": a["0.kernel"].clone()}
    assert align(tied, tied, symmetry).after == 0
    with pytest.raises(StateMismatch, match=r"tied to 0\.kernel"):
        align(tied, tied | {"copy": a["0.kernel"] + 1}, symmetry)


def test_a_symmetry_without_groups_is_refused_in_one_way():
    symmetry, shapes = chain(3, 4, 2)
    a, none = drawn(shapes, 0), symmetry.without("0")
    with pytest.raises(UsageError, match="one group of units at least"):
        align(a, a, none)
    with pytest.raises(UsageError, match="one group of units at least"):
        align_many([a, a], none)


def test_arguments_of_the_wrong_kind_are_refused_by_name():
    symmetry, shapes = chain(4, 6, 3)
    a, b = drawn(shapes, 0), drawn(shapes, 1)
    for call, named in (
        (lambda: align(symmetry, a, b), "Got a of type Symmetry"),
        (lambda: align(a, align(a, b, symmetry), symmetry), r"Got b of type Aligned.*`\.state`"),
        (lambda: align(a, b, "s.json"), "Got symmetry = 's.json'"),
        (lambda: align(a, b, symmetry, by="weights"), "Got by = 'weights'"),
        (lambda: align(a, b, symmetry, by=WeightMatching), r"Make one: WeightMatching\("),
        (lambda: align(a, b, symmetry, by=CycleConsistent()), "Got by of type CycleConsistent"),
        (lambda: align_many([a, b], symmetry, by=WeightMatching()), "Got by of type WeightM"),
        (lambda: align_many({"a": a, "b": b}, symmetry), "as a list"),
    ):
        with pytest.raises(UsageError, match=named):
            call()


def test_it_says_what_acted_on_each_group_besides_permutations():
    model = fcn(6, 5, 4, seed=0)
    symmetry = rescalable(symmetries(model, torch.randn(2, 6)), model, torch.randn(2, 6))
    a = states.capture(model)
    b = symmetry.random(0, scalings=True)(a)
    found = align(a, b, symmetry, by=Rescaling(by=WeightMatching()))
    (moved,) = found.moved.values()
    assert moved.how == ("scaled",) and moved.share > 0 and ", scaled" in str(found)
    assert found.summary()["permutation"] is False and found.summary()["same_function"] is True


def test_matrices_are_told_as_rotated_or_mixed_unless_they_do_nothing():
    symmetry, _ = chain(4, 6, 3)
    group = symmetry.groups[0]
    powers = (1,) * len(group.places)
    turned = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64)).Q

    def acted(*matrices):
        mixings = tuple(Mixing(group, powers, m[None]) for m in matrices)
        return moved_by(Transform(mixings, {}), symmetry)[group.name]

    still = torch.eye(6, dtype=torch.float64)
    assert acted(still) == Moved() and str(acted(still)) == "0% of its units moved"
    assert str(acted(turned)) == "rotated"
    assert str(acted(turned, turned * 2)) == "mixed"
    flips = Rescalable("flips", group.name, powers, signs=True)
    flipped = Transform((Scaling(group, flips, -np.ones((1, 6))),), {})
    assert moved_by(flipped, symmetry)[group.name].how == ("sign-flipped",)


def test_one_round_is_one_round():
    symmetry, shapes = chain(4, 6, 3)
    a = drawn(shapes, 0)
    told = str(align(a, a, symmetry))
    assert "1 round\n" in told and "rounds" not in told


class Masked(torch.nn.Module):
    """Attention with a persistent mask, of all heads or of each."""

    def __init__(self, mask):
        super().__init__()
        self.q, self.k, self.v = (torch.nn.Linear(6, 8) for _ in range(3))
        self.o = torch.nn.Linear(8, 6)
        self.register_buffer("mask", mask)

    def forward(self, x):
        q, k, v = (f(x).unflatten(-1, (2, 4)).transpose(1, 2) for f in (self.q, self.k, self.v))
        y = (q @ k.mT + self.mask).softmax(-1) @ v
        return self.o(y.transpose(1, 2).flatten(2)).mean(1)


AHEAD = torch.full((3, 3), -torch.inf).triu(1)
MASKS = {
    "of all heads": AHEAD,
    "of each head": torch.stack([AHEAD, AHEAD.T]),
    "with numbers": AHEAD + torch.tensor([[0.5, 0, 0], [1, -2, 0], [3, 0, 1]]),
}


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_among_the_buffers_is_carried_and_distances_are_finite(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, x = Masked(MASKS[name]), torch.randn(2, 3, 6)
    symmetry = symmetries(model, x)
    a = model.state_dict()
    found = align(a, symmetry.random(5)(a), symmetry)
    assert all(torch.equal(found.state[n], a[n]) for n in a)
    assert found.same_function
    assert found.after == 0 < found.before < torch.inf


def test_an_infinity_of_one_state_alone_is_no_mask():
    model = Masked(MASKS["with numbers"])
    symmetry = symmetries(model, torch.randn(2, 3, 6))
    a = model.state_dict()
    with pytest.raises(NonFinite, match=r"state a.*mask \(0 NaN, 3 infinite\).*earlier checkpoint"):
        align(a, a | {"mask": torch.zeros(3, 3)}, symmetry)
