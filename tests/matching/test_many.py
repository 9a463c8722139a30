"""Many networks in one frame: planted copies, exact composition, cycles of pairwise maps."""

import numpy as np
import pytest
import torch

from planted import headed, normalised, planted
from ridgeline import state as states
from ridgeline.errors import StateMismatch, UsageError
from ridgeline.matching.contract import spread
from ridgeline.matching.cycles import cycle_error, pairwise
from ridgeline.matching.frank_wolfe import FrankWolfe
from ridgeline.matching.many import align_many
from ridgeline.matching.universe import CycleConsistent, MergeMany, ToReference, _pairs
from ridgeline.symmetry.stacking import orders_of
from wreaths import chain, drawn

WAYS = {
    "universe": CycleConsistent(),
    "universe, as published": CycleConsistent(settle=0),
    "merge": MergeMany(),
    "merge, frank-wolfe": MergeMany(by=FrankWolfe(restarts=1)),
    "reference": ToReference(),
}


def unrelated(count):
    """States of independent networks, and their symmetry."""
    made = [planted(seed=10 * i) for i in range(count)]
    return made[0][1], [each[2] for each in made]


def slow_spread(given):
    k = len(given)
    squares = [states.distance(x, y) ** 2 for x in given for y in given]
    return (sum(squares) / (2 * k * k)) ** 0.5


def test_the_spread_is_that_of_pairs():
    _, given = unrelated(4)
    assert spread(given) == pytest.approx(slow_spread(given), rel=1e-9)
    assert spread([given[0]] * 3) == 0


@pytest.mark.parametrize("way", WAYS)
def test_permuted_copies_meet_in_one_point(way):
    model, symmetry, _, copies, _ = planted(copies=5)
    found = align_many(copies, symmetry, by=WAYS[way])
    assert found.before > 1
    assert found.after == 0
    x = torch.randn(7, 6, generator=torch.Generator().manual_seed(0))
    for given, carried in zip(copies, found.states, strict=True):
        wanted, got = (torch.func.functional_call(model, s, x) for s in (given, carried))
        assert torch.allclose(wanted, got, atol=1e-5)
        assert states.distance(carried, found.mean) < 1e-6


@pytest.mark.parametrize("way", WAYS)
def test_statistics_are_carried_along(way):
    _, symmetry, a, _ = normalised()
    copies = [symmetry.random(seed)(a) for seed in range(3)]
    found = align_many(copies, symmetry, by=WAYS[way])
    for carried in found.states[1:]:
        assert all(torch.equal(carried[n], found.states[0][n]) for n in a)


@pytest.mark.parametrize("way", WAYS)
def test_noisy_copies_are_brought_into_their_places(way):
    _, symmetry, _, copies, plain = planted(copies=5, noise=0.02)
    assert align_many(copies, symmetry, by=WAYS[way]).after == pytest.approx(spread(plain))


@pytest.mark.parametrize("way", WAYS)
def test_maps_through_a_common_frame_compose_exactly(way):
    symmetry, given = unrelated(4)
    found = align_many(given, symmetry, by=WAYS[way])
    assert found.after < found.before
    maps = {(a, b): found.map(a, b) for a in range(4) for b in range(4) if a != b}
    error = cycle_error(maps, symmetry)
    assert (error.mean, error.largest, error.moved) == (0, 0, 0)
    assert len(error.cycles) == 8
    for n, x in maps[0, 1](given[1]).items():
        assert torch.equal(x, found.transforms[0].inverse()(found.states[1])[n])


def test_pairwise_maps_of_unrelated_networks_do_not_compose():
    symmetry, given = unrelated(4)
    maps = pairwise(given, symmetry)
    error = cycle_error(maps, symmetry)
    assert error.largest > 1
    assert 0 < error.moved <= 1
    (a, b, c), height = max(error.cycles.items(), key=lambda each: each[1])
    total = 0.0  # by matrices, as it is defined
    for g in symmetry.groups:
        p = [np.eye(g.size)[orders_of(maps[pair], symmetry)[g.name][0]]
             for pair in ((a, b), (b, c), (c, a))]  # fmt: skip
        total += ((p[0] @ p[1] @ p[2] - np.eye(g.size)) ** 2).sum()
    assert height == pytest.approx(total**0.5)


@pytest.mark.parametrize("way", ["universe", "merge"])
def test_units_inside_of_units_meet_and_compose(way):
    _, symmetry, a, _ = headed()
    found = align_many([symmetry.random(seed)(a) for seed in range(4)], symmetry, by=WAYS[way])
    assert found.after == 0
    maps = {(x, y): found.map(x, y) for x in range(4) for y in range(4) if x != y}
    assert cycle_error(maps, symmetry).largest == 0


def test_pairwise_maps_of_copies_compose():
    _, symmetry, _, copies, _ = planted(copies=3)
    assert cycle_error(pairwise(copies, symmetry), symmetry).largest == 0


def test_a_missing_map_and_no_cycle_are_named():
    symmetry, given = unrelated(3)
    maps = pairwise(given[:2], symmetry)
    with pytest.raises(UsageError, match="three networks"):
        cycle_error(maps, symmetry)
    with pytest.raises(UsageError, match=r"no map \(1, 2\)"):
        cycle_error(maps, symmetry, cycles=[(0, 1, 2)])


def test_merging_never_spreads_and_the_universe_only_climbs():
    symmetry, given = unrelated(5)
    merged = align_many(given, symmetry, by=MergeMany())
    assert (np.diff(merged.history) <= 1e-9).all()
    assert merged.history[-1] == pytest.approx(merged.after)
    climbed = align_many(given, symmetry, by=CycleConsistent(restarts=2))
    steps = np.diff(climbed.history)
    assert (steps >= -1e-6 * np.abs(climbed.history[1:])).all()
    assert climbed.after <= 1.05 * merged.after


def test_the_sum_over_pairs_is_that():
    _, given = unrelated(3)
    names = list(states.coordinates(given[0]))
    wanted = sum(states.dot(given[i], given[j]) for i in range(3) for j in range(i))
    assert float(_pairs(given, names)) == pytest.approx(wanted, rel=1e-5)


def test_only_the_seed_decides_and_nothing_is_drawn():
    symmetry, given = unrelated(4)
    for by in (MergeMany(), CycleConsistent(restarts=2)):
        torch.manual_seed(1)
        before = torch.random.get_rng_state()
        one = align_many(given, symmetry, by=by, seed=2)
        assert torch.equal(torch.random.get_rng_state(), before)
        torch.manual_seed(2)
        assert align_many(given, symmetry, by=by, seed=2).history == one.history


def test_the_record_is_plain_and_the_mean_is_in_the_frame():
    symmetry, given = unrelated(3)
    found = align_many(given, symmetry)
    assert found.summary()["states"] == 3
    assert "3 states aligned by MergeMany: spread" in str(found)
    assert "from their mean" in str(found)
    n = next(iter(given[0]))
    stack = torch.stack([x[n] for x in found.states])
    assert torch.allclose(found.mean[n], stack.mean(0), atol=1e-6)


def test_what_cannot_be_aligned_is_refused():
    symmetry, given = unrelated(2)
    with pytest.raises(UsageError, match="2 states at least"):
        align_many(given[:1], symmetry)
    with pytest.raises(StateMismatch, match="state 1"):
        align_many([given[0], dict(list(given[1].items())[1:])], symmetry)
    with pytest.raises(UsageError, match="reference"):
        align_many(given, symmetry, by=ToReference(reference=2))


@pytest.mark.parametrize("by", [MergeMany(), CycleConsistent()])
def test_the_objective_before_and_after_is_told_exactly(by):
    symmetry, shapes = chain(4, 6, 3)
    given = [drawn(shapes, seed) for seed in range(3)]
    found = align_many(given, symmetry, by=by)
    told = found.matched.objective
    if isinstance(by, MergeMany):
        assert told == {"before": found.before, "after": pytest.approx(found.after)}
    else:
        pairs = [(0, 1), (0, 2), (1, 2)]
        held = list(symmetry.groups[0].tensors())  # the last bias stands in no group
        for name, each in (("before", given), ("after", found.states)):
            wanted = sum(states.dot(each[i], each[j], names=held) for i, j in pairs)
            assert told[name] == pytest.approx(wanted, rel=1e-6)
    assert found.summary()["objective"] == dict(told)
