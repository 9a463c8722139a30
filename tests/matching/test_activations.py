"""Activation matching: sums against all activations kept, and planted permutations."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import nn

from planted import headed, normalised, planted
from ridgeline import state as states
from ridgeline.errors import UnknownName, UsageError
from ridgeline.graph import Network, operation
from ridgeline.matching import align
from ridgeline.matching.activations import ActivationMatching
from ridgeline.matching.cross_products import cross_products
from ridgeline.objective import Objective
from ridgeline.symmetry import Group, Sighting, Symmetry, orders_of, symmetries
from ridgeline.testing.symmetries import of_chain


def inputs(n=103, width=6, seed=0):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def kept(model, state, x):
    """Hidden activations of a chain, all of them."""
    held, h = [], x
    for layer, module in model.named_children():
        if hasattr(module, "weight"):
            h = h @ state[f"{layer}.weight"].T + state[f"{layer}.bias"]
        else:
            h = h.relu()
            held.append(h)
    return held


def slow(model, a, b, x, by):
    """The orders and objective with all activations at hand."""
    orders, total = [], 0.0
    for one, other in zip(kept(model, a, x), kept(model, b, x), strict=True):
        p, q = one.double().numpy().T, other.double().numpy().T
        if by == "covariance":
            likeness = p @ q.T / p.shape[1]
        else:
            cov = np.cov(p, q, bias=True)[: len(p), len(p) :]
            likeness = cov / (p.std(1)[:, None] * q.std(1)[None] + 1e-4)
        rows, columns = linear_sum_assignment(likeness, maximize=True)
        orders.append(columns)
        total += likeness[rows, columns].sum()
    return orders, total


@pytest.mark.parametrize("by", ["covariance", "correlation"])
@pytest.mark.parametrize("seed", range(3))
def test_one_pass_gives_what_all_activations_give(by, seed):
    model, symmetry, a, _, _ = planted(seed=seed)
    _, _, b, _, _ = planted(seed=seed + 50)
    a, b = states.cast(a, torch.float64), states.cast(b, torch.float64)
    x = inputs().double()
    orders, total = slow(model, a, b, x, by)
    strategy = ActivationMatching(model=model.double(), data=x, by=by, rows=25)
    found = strategy.match(a, b, symmetry)
    got = orders_of(found.transform, symmetry)
    assert all((got[g.name][0] == o).all() for g, o in zip(symmetry.groups, orders, strict=True))
    assert found.objective["after"] == pytest.approx(total, rel=1e-10)
    assert found.objective["after"] > found.objective["before"]


@pytest.mark.parametrize("by", ["covariance", "correlation"])
def test_a_permuted_copy_is_carried_back_exactly(by):
    model, symmetry, a, b, _ = planted(seed=1)
    found = align(a, b, symmetry, by=ActivationMatching(model=model, data=inputs(), by=by))
    if by == "correlation":
        assert found.after == 0
    else:  # uncentred products prefer loud units to equal ones: a known weakness of the measure
        assert found.after < found.before
    assert found.matched.notes == ()


def test_groups_that_are_not_seen_stay_and_are_named():
    model, symmetry, a, b, _ = planted()
    first, second = symmetry.groups
    blind = Symmetry((first, Group(second.name, second.places)), symmetry.shapes)
    found = align(a, b, blind, by=ActivationMatching(model=model, data=inputs(), by="correlation"))
    assert not found.moved[second.name]
    assert found.moved[first.name].share > 0
    assert second.name in found.matched.notes[0]
    unseen = Symmetry(tuple(Group(g.name, g.places) for g in symmetry.groups), symmetry.shapes)
    with pytest.raises(UsageError, match="seen in some value"):
        align(a, b, unseen, by=ActivationMatching(model=model, data=inputs()))


def test_names_that_are_unknown_are_refused():
    model, _, a, b, _ = planted()
    with pytest.raises(UnknownName, match="covariance"):
        ActivationMatching(model=model, data=inputs(), by="covarianc")
    with pytest.raises(UnknownName, match="last"):
        ActivationMatching(model=model, data=inputs(), at="lst")
    wrong = of_chain(model, ["0", "2", "4"], ["relu", "relu_7"])
    with pytest.raises(UnknownName, match="relu_7"):
        align(a, b, wrong, by=ActivationMatching(model=model, data=inputs()))


@pytest.mark.parametrize("flattened", [False, True])
def test_channels_are_matched_over_all_positions(flattened):
    model, symmetry, a, b = normalised(flattened)
    x = torch.randn(31, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    by = ActivationMatching(model=model, data=x, by="correlation", rows=8)
    found = align(a, b, symmetry, by=by)
    assert found.before > 0
    assert found.after == 0
    assert all(torch.equal(found.state[n], a[n]) for n in a)  # statistics among them


@pytest.mark.parametrize("seed", range(5))
def test_units_inside_of_units_go_where_both_agree(seed):
    model, symmetry, a, b = headed(seed)
    x = inputs()
    wanted, got = (torch.func.functional_call(model, s, x) for s in (a, b))
    assert torch.allclose(wanted, got, atol=1e-5)
    by = ActivationMatching(model=model, data=x, by="correlation")
    found = align(a, b, symmetry, by=by)
    assert found.after == 0
    assert found.matched.objective["after"] == pytest.approx(12, abs=0.05)


def test_nothing_of_the_callers_changes_and_nothing_is_drawn():
    model, symmetry, a, b, _ = planted()
    model.train()
    before = torch.random.get_rng_state(), {n: x.clone() for n, x in b.items()}
    ActivationMatching(model=model, data=inputs()).match(a, b, symmetry)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert all(torch.equal(b[n], before[1][n]) for n in b)
    assert model.training


class TimeFirst(nn.Module):
    """Sequences whose time is the first axis inside the network."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x):
        return self.last(self.first(x.transpose(0, 1)).relu()).mean(0)


def test_a_short_last_batch_counts_as_it_is_where_time_comes_first():
    torch.manual_seed(0)
    model, x = TimeFirst().double(), torch.randn(11, 4, 3).double()
    state = {n: v.detach() for n, v in model.state_dict().items()}
    trace = Network(model).trace(x)
    (relu,) = (n.name for n in trace.graph.nodes if operation(n) == "relu")
    seen = {"units": Sighting(relu, 2, np.arange(5).reshape(1, 5, 1))}
    whole, cut = (
        cross_products(model, None, x, (state, state), seen, rows=rows)["units"] for rows in (11, 4)
    )
    assert whole.count == cut.count == 44
    for name in ("products", "sums_a", "squares_b"):
        np.testing.assert_allclose(getattr(cut, name), getattr(whole, name), rtol=1e-12)


@pytest.mark.parametrize("policy", ["recompute", "keep"])
def test_an_objective_gives_network_data_and_statistics(policy):
    model, symmetry, a, b = normalised()
    with torch.no_grad():
        b = b | {"norm.running_mean": b["norm.running_mean"] + 1}
    x = torch.randn(60, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    goal = Objective(model, (x, torch.zeros(60, dtype=torch.long)), statistics=policy)
    states_of = [a, b]
    if policy == "recompute":
        states_of = [s | goal.recomputed(goal.tensors(s)) for s in (a, b)]
    found = ActivationMatching(objective=goal, by="correlation").match(a, b, symmetry)
    plain = ActivationMatching(model=model, data=x, by="correlation").match(*states_of, symmetry)
    assert found.objective == plain.objective


def test_units_are_seen_through_one_thing():
    model, _, _, _, _ = planted()
    for given in ({}, {"model": model}, {"data": inputs()}):
        with pytest.raises(UsageError, match="through an objective"):
            ActivationMatching(**given)


def test_units_inside_of_a_fused_layer_are_left_with_advice_to_match_by_weights():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = nn.GRU(4, 5, num_layers=2, batch_first=True), nn.Linear(5, 2)

        def forward(self, x):
            return self.head(self.rnn(x)[0][:, -1])

    torch.manual_seed(0)
    model, inputs = Net(), torch.randn(8, 3, 4)
    symmetry = symmetries(model, inputs[:2])
    a = states.capture(model)
    by = ActivationMatching(model=model, data=inputs)
    (note,) = align(a, symmetry.random(0)(a), symmetry, by=by).matched.notes
    assert "left in place" in note and "fused" in note and "match by weights" in note
