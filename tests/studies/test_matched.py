"""The line between a pair of runs, the second carried to the first before."""

from types import SimpleNamespace

import numpy as np
import torch

from planted import planted
from ridgeline.studies.matched import (
    ACTIVATIONS,
    NAIVE,
    STRAIGHT_THROUGH,
    WEIGHTS,
    carried,
    fingerprint,
    matched_orders,
)
from ridgeline.symmetry.stacking import orders_of

SETTINGS = {"activation_samples": 3, "straight_through_steps": 7, "straight_through_rate": 0.5}
INPUTS = torch.arange(20.0).reshape(10, 2)


def pair(states=(None, None)):
    a = SimpleNamespace(
        model=lambda: "the model",
        train=SimpleNamespace(inputs=INPUTS),
        objective=lambda: "the goal",
    )
    return SimpleNamespace(a=a, b=SimpleNamespace(), states=states, step=5)


class Bench:
    """Keeps nothing, and says what it was asked to keep."""

    def __init__(self):
        self.asked = []

    def setting(self, name):
        return SETTINGS[name]

    def kept(self, measure, runs, **options):
        self.asked.append((len(runs), options))
        return measure(*runs, **options)


def test_ways_are_made_of_the_first_run_and_the_settings():
    by = ACTIVATIONS.make(pair(), Bench())
    assert by.model == "the model" and torch.equal(by.data, INPUTS[:3])
    through = STRAIGHT_THROUGH.make(pair(), Bench())
    assert (through.objective, through.steps, through.rate) == ("the goal", 7, 0.5)
    assert through.init == "identity" and WEIGHTS.make(pair(), Bench()).renewals == 0
    assert NAIVE.make is None and WEIGHTS.settings == ()


def test_the_naive_way_moves_nothing():
    assert matched_orders(Bench(), pair(), NAIVE) == {}
    b = {"w": torch.ones(1)}
    assert carried(pair((None, b)), {}) is b


def test_a_planted_permutation_is_found_kept_and_carried():
    _, symmetry, a, moved, plain = planted()
    bench, two = Bench(), pair((a, moved))
    two.a.symmetry = symmetry
    found = matched_orders(bench, two, WEIGHTS)
    assert bench.asked == [(2, {"step": 5})]
    before, after = found["distance"]
    assert after < 1e-5 < before
    back = carried(two, {n: np.asarray(x) for n, x in found.items()})
    assert all(torch.equal(back[n], x) for n, x in plain.items())
    orders = {n: x for n, x in found.items() if n != "distance"}
    assert set(orders) == set(orders_of(symmetry.random(0), symmetry))


def test_settings_are_part_of_what_is_kept():
    bench = Bench()
    bench.kept = lambda measure, runs, **options: bench.asked.append(options)
    matched_orders(bench, pair(), ACTIVATIONS)
    assert bench.asked == [{"step": 5, "activation_samples": 3}]


def test_a_permutation_in_a_key():
    one = {"a": np.array([1, 0]), "b": np.array([0, 1])}
    assert fingerprint({}) == "nothing" and len(fingerprint(one)) == 16
    assert fingerprint(one) == fingerprint(dict(reversed(one.items())))
    assert fingerprint(one) != fingerprint({**one, "b": np.array([1, 0])})
