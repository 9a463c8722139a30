"""Straight-through matching: planted permutations, and the loss halfway."""

import pytest
import torch

from planted import planted
from ridgeline.errors import UnknownName, UsageError
from ridgeline.matching import align
from ridgeline.matching.losses import mixed, parameters
from ridgeline.matching.straight_through import StraightThrough
from ridgeline.matching.weights import WeightMatching
from ridgeline.objective import Objective, batch_loss, minibatches
from ridgeline.symmetry import symmetries
from zoo import Cnn, images


def labelled(model, a, n=300):
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        return x, torch.func.functional_call(model, a, x).argmax(1)


def test_a_permuted_copy_is_carried_back_exactly():
    model, symmetry, a, b, _ = planted(scale=2.0)
    by = StraightThrough(objective=Objective(model, labelled(model, a)), steps=3, batch=100)
    found = align(a, b, symmetry, by=by)
    assert found.after == 0
    assert found.matched.objective["after"] < found.matched.objective["before"]


def test_the_loss_halfway_is_no_higher_than_weight_matchings():
    model, symmetry, a, _, _ = planted(seed=0, scale=3.0)
    _, _, b, _, _ = planted(seed=7, scale=3.0)
    objective = Objective(model, labelled(model, a))
    by = StraightThrough(objective=objective, steps=60, rate=0.3, batch=300)
    found = by.match(a, b, symmetry, seed=0)
    plain = WeightMatching().match(a, b, symmetry, seed=0).transform(b)
    (middle,) = objective(mixed(a, plain))["loss"].mean(0, keepdim=True)
    assert found.objective["after"] <= float(middle) + 1e-6
    reached = objective(mixed(a, found.transform(b)))["loss"].mean()
    assert found.objective["after"] == pytest.approx(float(reached), rel=1e-5)
    assert len(found.history) == found.sweeps == 60


def test_weight_matching_is_among_what_is_compared():
    model, symmetry, a, _, _ = planted(seed=0, scale=3.0)
    _, _, b, _, _ = planted(seed=7, scale=3.0)
    objective = Objective(model, labelled(model, a))
    plain = WeightMatching().match(a, b, symmetry, seed=0).transform(b)
    middle = float(objective(mixed(a, plain))["loss"].mean())
    # A step that goes nowhere: what is left are the start and the identity.
    by = StraightThrough(objective=objective, steps=1, rate=1e-9, batch=300)
    found = by.match(a, b, symmetry, seed=0)
    assert found.objective["after"] <= middle + 1e-6
    assert "chosen on" in found.measure
    with pytest.raises(UnknownName):
        StraightThrough(objective=objective, init="nowhere")  # type: ignore[arg-type]  # wrong on purpose


def test_only_the_seed_decides_and_nothing_is_drawn():
    model, symmetry, a, b, _ = planted(noise=0.3)
    objective = Objective(model, labelled(model, a))
    by = StraightThrough(objective=objective, steps=4, batch=50)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one = by.match(a, b, symmetry, seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert by.match(a, b, symmetry, seed=3).history == one.history
    assert by.match(a, b, symmetry, seed=4).history != one.history


def test_a_batch_is_drawn_without_repeats_and_epochs_differ():
    model, _, a, _, _ = planted()
    x = torch.arange(10.0)[:, None].expand(10, 6).contiguous()
    objective = Objective(model, (x, torch.zeros(10, dtype=torch.long)))
    source = minibatches(objective, 4)
    batches = [next(source).inputs[:, 0].tolist() for _ in range(4)]
    assert all(len(b) == 4 for b in batches)
    assert len({*batches[0], *batches[1]}) == 8
    assert batches[:2] != batches[2:]
    whole = next(minibatches(objective, 99)).inputs[:, 0]
    assert sorted(whole.tolist()) == list(range(10))


def test_the_loss_is_the_objectives_with_its_statistics():
    torch.manual_seed(0)
    model = Cnn()
    data = images(40, torch.Generator().manual_seed(0))
    state = {n: x.clone() for n, x in model.state_dict().items()}
    for statistics in ("recompute", "keep"):
        objective = Objective(model, data, statistics=statistics)
        batch = next(minibatches(objective, 40))
        got = batch_loss(objective, parameters(objective, state), batch)
        assert float(got) == pytest.approx(float(objective(state)["loss"].mean()), rel=1e-5)


def test_bad_settings_are_refused():
    model, _, a, _, _ = planted()
    with pytest.raises(UsageError, match="positive"):
        StraightThrough(objective=Objective(model, labelled(model, a)), rate=0)


def test_a_network_that_turns_derivatives_off_is_refused_in_words():
    class Off(torch.nn.Sequential):
        @torch.no_grad()
        def forward(self, x):
            return super().forward(x)

    net = Off(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    a = {k: v.detach().clone() for k, v in net.state_dict().items()}
    b = {k: v.flip(0) for k, v in a.items()}
    x = torch.randn(6, 3)
    objective = Objective(net, (x, torch.zeros(6, dtype=torch.long)))
    with pytest.raises(UsageError, match=r"must have derivatives.*no derivative reaches"):
        align(a, b, symmetries(net, x), by=StraightThrough(objective=objective, steps=2))
