"""How a symmetry is proved: randomness, what is not finite, each output by its own scale."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ridgeline as rl
from ridgeline.errors import NonFinite, NotASymmetry, UnknownName, UsageError
from ridgeline.graph import Network
from ridgeline.symmetry import Group, Place, discover, prove, symmetries
from ridgeline.symmetry.changes import change_of
from ridgeline.symmetry.evaluation import (
    Carried,
    drawn,
    far,
    outputs_of,
    random_state,
)
from ridgeline.symmetry.proof import Residual
from ridgeline.symmetry.scaling import Rescalable
from symmetric import Run

BATCH = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))


def network(run, **parts):
    """Two layers and whatever else, run as said."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Run(run, **{"a": nn.Linear(5, 8), "o": nn.Linear(8, 2), **parts}).eval()


def hidden(m, x):
    return m.a(x).relu()


def sizes(symmetry):
    return {g.name: g.size for g in symmetry.groups}


def wrong(model, example, forward=None):
    """The symmetry with a group that moves the hidden units where they are made alone."""
    found = discover(Network(model, forward), example)
    at = Place("a.weight", 0, np.arange(8).reshape(1, 8, 1))
    return found.adding(Group("wrong", (at,)))


# --- randomness ----------------------------------------------------------------------------------

RANDOM = {
    "noise on outputs": lambda m, x: m.o(hidden(m, x)) + torch.randn_like(m.o(hidden(m, x))),
    "gumbel": lambda m, x: F.gumbel_softmax(m.o(hidden(m, x))),
    "dropout": lambda m, x: m.o(F.dropout(hidden(m, x), 0.5, training=True)),
    "bernoulli": lambda m, x: m.o(hidden(m, x) * torch.bernoulli(torch.full((len(x), 1), 0.5))),
}


@pytest.mark.parametrize("name", list(RANDOM))
def test_networks_that_are_random_in_evaluation_mode_prove(name):
    model = network(RANDOM[name])
    before = torch.get_rng_state()
    found = symmetries(model, BATCH)
    assert torch.equal(torch.get_rng_state(), before)
    assert sizes(found) == {"a": 8}
    with pytest.raises(NotASymmetry, match="'wrong'"):
        prove(wrong(model, BATCH), Network(model), BATCH)


# --- what is not finite --------------------------------------------------------------------------


def masked(m, x):
    return m.o(hidden(m, x)).masked_fill(x[:, :2] > 0, -math.inf)


FINITE = {
    "masked actions": (masked, BATCH),
    "logarithm": (lambda m, x: m.o(m.a(x.log()).relu()), BATCH.exp()),
    "logit": (lambda m, x: m.o(m.a(x.logit()).relu()), BATCH.sigmoid()),
    "log1p": (lambda m, x: m.o(m.a(x.log1p()).relu()), BATCH.relu()),
    "some NaN": (lambda m, x: m.o(hidden(m, x)).sqrt(), BATCH),
    "root of a parameter": (lambda m, x: m.o(hidden(m, x)) * m.p.sqrt(), BATCH),
}


@pytest.mark.parametrize("name", list(FINITE))
def test_outputs_that_are_in_part_not_finite_prove_by_the_others(name):
    run, example = FINITE[name]
    model = network(run, p=nn.Parameter(torch.tensor([0.5, 2.0])))
    assert sizes(symmetries(model, example)) == {"a": 8}
    with pytest.raises(NotASymmetry, match="'wrong'"):
        prove(wrong(model, example), Network(model), example)


def test_places_that_are_not_finite_must_stay():
    x = torch.tensor([1.0, -math.inf, math.nan])
    assert change_of([x], [x.clone()]) == 0
    for other in ([-math.inf, 1.0, math.nan], [1.0, math.inf, math.nan], [1.0, -math.inf, 0.0]):
        assert change_of([x], [torch.tensor(other)]) == math.inf


def test_inputs_keep_their_signs_and_ranges():
    for x in (BATCH.exp(), BATCH.sigmoid(), BATCH.relu()):
        for y in (drawn(x, 0), *far(drawn(x, 0))):
            assert y.dtype == torch.float64 and bool((y >= 0).all())
            assert not bool((x < 1).all() and (x > 0).all()) or bool((y < 1).all())
    assert [len(y) for y in far(drawn(BATCH, 0))] == [4, 3, 4]
    assert bool((drawn(BATCH, 0) < 0).any())


def test_outputs_none_of_which_is_finite_are_not_called_a_fault():
    model = network(lambda m, x: m.o(hidden(m, x)) * math.nan)
    with pytest.raises(UsageError, match="finite") as told:
        symmetries(model, BATCH)
    assert "fault" not in str(told.value) and "forward=" in str(told.value)
    model = network(lambda m, x: m.o(hidden(m, x)))
    with torch.no_grad():
        model.get_parameter("a.bias")[1] = math.nan
    with pytest.raises(NonFinite, match=r"a\.bias \(1 NaN"):
        symmetries(model, BATCH)


# --- kinds of outputs ----------------------------------------------------------------------------


def both(model, x):
    return model(x)


KINDS = {
    "integers": lambda m, x: m.o(hidden(m, x)).argmax(1),
    "complex": lambda m, x: torch.complex(m.o(hidden(m, x)), m.o(hidden(m, x)).cos()),
    "complex beside real": lambda m, x: (x * 2, torch.complex(m.o(hidden(m, x)), x[:, :2])),
    "small beside huge": lambda m, x: (1e12 * x, m.o(hidden(m, x))),
    "masked by a huge number": lambda m, x: m.o(hidden(m, x)) - 1e9 * (x[:, :2] > 0),
    "masked by the largest number": lambda m, x: m.o(hidden(m, x)).masked_fill(
        x[:, :2] > 0, torch.finfo(x.dtype).min
    ),
    "booleans": lambda m, x: m.o(hidden(m, x)) > 0,
}


@pytest.mark.parametrize("name", list(KINDS))
def test_each_output_counts_by_its_own_scale(name):
    x = torch.randn(64, 5, generator=torch.Generator().manual_seed(2))
    model = network(KINDS[name])
    assert sizes(symmetries(model, x, forward=both)) == {"a": 8}
    with pytest.raises(NotASymmetry, match="'wrong'"):
        prove(wrong(model, x, both), Network(model, both), x)


def test_outputs_without_a_tensor_are_refused_clearly():
    with pytest.raises(UsageError, match=r"without a tensor.*forward="):
        outputs_of(Network(network(lambda m, x: {"n": 3})), {}, BATCH)


def test_an_output_of_rounding_is_none():
    model = network(lambda m, x: (m.o(hidden(m, x)), (y := m.o(hidden(m, x))) + 1 - y - 1))
    assert sizes(symmetries(model, BATCH, forward=both)) == {"a": 8}


def test_complex_parameters_are_drawn_complex():
    w = nn.Parameter(torch.randn(5, 8, dtype=torch.complex64))
    v = nn.Parameter(torch.randn(8, 2, dtype=torch.complex64))
    model = network(lambda m, x: (x.to(m.w.dtype) @ m.w).tanh() @ m.v, w=w, v=v)
    del model.a, model.o
    state = random_state(Network(model).tensors, 0)
    assert state["w"].dtype == torch.complex128
    assert float((state["w"] - w.detach()).imag.abs().min()) > 0
    found = symmetries(model, BATCH)
    assert [g.size for g in found.groups] == [8]
    moved, inputs = found.random(3)(state), BATCH.to(torch.float64)
    assert torch.allclose(*(Network(model)(s, inputs) for s in (state, moved)), rtol=1e-12)
    model = network(lambda m, x: m.o((x.to(m.w.dtype) @ m.w).abs()), w=w)
    whole = rl.rescalable(symmetries(model, BATCH), model, BATCH)
    assert [(m.powers, m.signs) for m in whole.scalings] == [((1, -1), False)]


# --- magnitudes and batch sizes ------------------------------------------------------------------


def test_thresholds_that_the_example_does_not_reach_are_seen_far_from_it():
    model = network(lambda m, x: m.o(m.a(x).relu().clamp(max=1000)))
    found, net = discover(Network(model), BATCH), Network(model)
    powers = tuple(-1 if p.axis else 1 for p in found.groups[0].places)
    member = Rescalable("made up", "a", powers)
    with pytest.raises(NotASymmetry, match="made up"):
        prove(type(found)(found.groups, found.shapes, scalings=(member,)), net, BATCH)


def test_another_batch_size_is_tried_where_the_network_takes_it():
    model = network(lambda m, x: m.o(hidden(m, x)))
    there = Residual(Network(model), BATCH, 0).elsewhere()
    assert there is not None and len(there._before[0]) == 4
    fixed = network(lambda m, x: m.o(hidden(m, x)) + m.p, p=nn.Parameter(torch.ones(3, 2)))
    there = Residual(Network(fixed), BATCH, 0).elsewhere()
    assert there is not None and len(there._before[0]) == 3


# --- words ---------------------------------------------------------------------------------------


def test_what_fails_is_named_with_where_it_is_made_and_how_to_have_the_rest():
    model = network(lambda m, x: m.o(hidden(m, x)))
    with pytest.raises(NotASymmetry) as told:
        prove(wrong(model, BATCH), Network(model), BATCH)
    assert told.value.groups == ("wrong",)
    for part in ("'wrong'", "module 'a', a.weight[0]", 'without=["wrong"]'):
        assert part in str(told.value)
    assert symmetries(model, BATCH, without=["a"]).groups == ()
    with pytest.raises(UnknownName, match="b"):
        symmetries(model, BATCH, without=["b"])


def test_print_says_at_what_it_was_derived_and_which_outputs_do_not_count():
    model = network(lambda m, x: {"logits": m.o(hidden(m, x)), "h": m.a(x)})
    text = str(rl.symmetries(model, BATCH, outputs="logits"))
    assert text.startswith("1 group of 8 units")
    assert "derived at inputs of shape (3, 5)" in text
    assert "outputs left out, not proved: ['h']" in text
    assert symmetries(model, BATCH).groups == symmetries(model, BATCH, forward=both).groups == ()
    assert "left out" not in str(symmetries(model, BATCH))
    assert "left out" not in str(symmetries(model, BATCH, forward=both))


def test_reasons_name_the_module_of_an_operation():
    model = network(lambda m, x: m.o(torch.fft.rfft(m.a(x)).real.repeat(1, 2)[:, :8]))
    assert "through fft_rfft after a (linear)" in str(rl.discover(Network(model), BATCH))
    symmetry = symmetries(network(lambda m, x: m.o(hidden(m, x))), BATCH)
    place = symmetry.groups[0].places[0]
    twice = Group("twice", (place, *symmetry.groups[0].places[1:], place))
    assert "a.weight[0] x2," in str(type(symmetry)((twice,), symmetry.shapes))


@pytest.mark.parametrize(
    "scripted", [torch.jit.script, lambda m: torch.jit.trace(m, torch.ones(1, 5))]
)
@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_modules_of_torchscript_are_networks(scripted):
    model = scripted(nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)))
    (group,) = symmetries(model, torch.randn(2, 5)).groups
    assert group.size == 7


# --- one state that is carried along -------------------------------------------------------------


def test_a_state_carried_from_element_to_element_is_what_each_makes_of_the_first():
    model = network(lambda m, x: m.o(hidden(m, x)))
    found, net = symmetries(model, BATCH), Network(model)
    state, carried = random_state(net.tensors, 3), Carried(net, 3, 1.0)
    held = carried.by(None)
    for element in (found.random(1), None, found.random(2), found.random(1), found.identity()):
        wanted = state if element is None else element(state)
        assert all(torch.equal(x, wanted[n]) for n, x in carried.by(element).items())
    assert all(carried.by(None)[n] is x for n, x in held.items()), "no second state was made"


def test_a_scaling_leaves_the_carried_state_as_it_was():
    model = network(lambda m, x: m.o(m.a(x).relu()))
    whole, net = rl.rescalable(symmetries(model, BATCH), model, BATCH), Network(model)
    state, carried = random_state(net.tensors, 3), Carried(net, 3, 1.0)
    carried.by(whole.random(1))
    scaled = whole.scaling(whole.scalings[0], seed=0)
    wanted = scaled(state)
    assert all(torch.equal(x, wanted[n]) for n, x in carried.by(scaled).items())
    assert all(torch.equal(x, state[n]) for n, x in carried.by(None).items())


def test_a_network_that_gives_a_weight_itself_is_compared_with_what_it_gave():
    model = network(lambda m, x: m.a.weight)
    with pytest.raises(NotASymmetry, match="'wrong'"):
        prove(wrong(model, BATCH, None), Network(model), BATCH)
