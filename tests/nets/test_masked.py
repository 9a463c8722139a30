"""Networks some of whose weights are held."""

import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline import training
from ridgeline.data import Split
from ridgeline.errors import UsageError
from ridgeline.nets import catalogue
from ridgeline.nets.fully_connected import fcn
from ridgeline.nets.masked import MaskedLinear, masked_fcn


def layers(net):
    return {n: m for n, m in net.named_modules() if isinstance(m, MaskedLinear)}


def slow(net, x):
    """The definition, entry by entry of every weight."""
    for module in net:
        if not isinstance(module, MaskedLinear):
            x = module(x)
            continue
        weight = torch.empty_like(module.weight)
        for i in range(weight.shape[0]):
            for j in range(weight.shape[1]):
                held = bool(module.held[i, j])
                weight[i, j] = module.values[i, j] if held else module.weight[i, j]
        x = F.linear(x, weight, module.bias)
    return x


@given(
    widths=st.lists(st.integers(2, 7), min_size=2, max_size=4),
    norm=st.sampled_from([None, "layer"]),
    seed=st.integers(0, 100),
    data=st.data(),
)
@settings(max_examples=25, deadline=None)
def test_held_entries_are_as_many_as_said_and_outputs_are_the_definitions(widths, norm, seed, data):
    fixed = [data.draw(st.integers(0, width - 1)) for width in widths[:-1]]
    net = masked_fcn(*widths, fixed=fixed, norm=norm, seed=seed, mask_seed=seed + 1).double()
    for count, module in zip(fixed, layers(net).values(), strict=True):
        assert (module.held.sum(1) == count).all()
        assert (module.weight[module.held] == 0).all()
        assert (module.values[~module.held] == 0).all()
    x = torch.randn(3, widths[0], dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(x), slow(net, x), rtol=1e-12, atol=1e-12)


def test_without_held_entries_it_is_the_plain_network():
    net, plain = masked_fcn(6, 5, 3, fixed=0, seed=4), fcn(6, 5, 3, seed=4)
    a, b = net.state_dict(), plain.state_dict()
    assert list(a) == list(b)
    assert all(torch.equal(a[name], b[name]) for name in a)
    x = torch.randn(4, 6)
    assert torch.equal(net(x), plain(x))


def test_free_weights_are_the_plain_networks_and_the_mask_is_the_architectures():
    plain = fcn(6, 5, 3, seed=2)
    a, b = (masked_fcn(6, 5, 3, fixed=[3, 2], seed=seed) for seed in (2, 3))
    other = masked_fcn(6, 5, 3, fixed=[3, 2], seed=2, mask_seed=1)
    for name, module in layers(a).items():
        free = ~module.held
        assert torch.equal(module.weight[free], plain.get_submodule(name).weight[free])
        assert torch.equal(module.held, layers(b)[name].held)
        assert torch.equal(module.values, layers(b)[name].values)
        assert not torch.equal(module.values, layers(other)[name].values)
    assert not torch.equal(layers(a)["fc1"].held, layers(other)["fc1"].held)


def test_constants_are_the_spread_of_what_is_held():
    net = masked_fcn(400, 300, 200, fixed=[100, 100], constant=[1.0, 0.25])
    for constant, module in zip((1.0, 0.25), layers(net).values(), strict=True):
        values = module.values[module.held]
        assert float(values.std()) == pytest.approx(constant, rel=0.03)
        assert abs(float(values.mean())) < 0.03 * constant


def test_every_entry_is_held_as_often_as_any_other():
    held = layers(masked_fcn(8, 4000, 2, fixed=2))["fc1"].held
    shares = held.double().mean(0)  # 2 of 8 in each of 4,000 rows: 0.25, error 0.007
    assert float((shares - 0.25).abs().max()) < 0.03


def permuted(state, order):
    return {
        "fc1.weight": state["fc1.weight"][order],
        "fc1.bias": state["fc1.bias"][order],
        "fc2.weight": state["fc2.weight"][:, order],
        "fc2.bias": state["fc2.bias"],
    }


def test_a_permutation_of_units_is_no_symmetry():
    x = torch.randn(8, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    change = {}
    for net in (fcn(6, 5, 3).double(), masked_fcn(6, 5, 3, fixed=2).double()):
        with torch.no_grad():
            moved = permuted(net.state_dict(), [1, 2, 3, 4, 0])
            after = torch.func.functional_call(net, moved, (x,))
            change[isinstance(net.fc1, MaskedLinear)] = float((after - net(x)).abs().max())
    assert change[False] < 1e-12
    assert change[True] > 0.1


@pytest.mark.parametrize(
    "optimiser",
    [
        training.SGD(learning_rate=0.1, momentum=0.9, weight_decay=0.1),
        training.AdamW(learning_rate=0.05, weight_decay=0.1),
    ],
)
def test_training_leaves_held_entries_at_zero_and_moves_the_others(optimiser):
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(60, 6, generator=draws)
    data = Split(x, (x[:, 0] > 0).long())
    recipe = training.Recipe(length="5ep", batch_size=20, optimiser=optimiser, assess=None)
    nets = [masked_fcn(6, 5, 2, fixed=2, seed=seed) for seed in (0, 1)]
    members = [training.Member(net, recipe, seed=seed) for seed, net in enumerate(nets)]
    for net, run in zip(nets, training.train_many(members, data), strict=True):
        for name, module in layers(net).items():
            ended = run.final[f"{name}.weight"]
            assert (ended[module.held] == 0).all()
            assert (ended[~module.held] != module.weight[~module.held]).all()


def test_on_a_line_nothing_but_free_weights_moves_and_all_strategies_agree():
    a, b = (masked_fcn(6, 5, 4, 3, fixed=2, norm="layer", seed=s).double() for s in (0, 1))
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(30, 6, generator=draws, dtype=torch.float64)
    y = torch.randint(3, (30,), generator=draws)
    objective = rl.Objective(a, (x, y), loss=rl.cross_entropy)
    line = rl.Line(a.state_dict(), b.state_dict())
    expected = []
    for t in (0.0, 0.25, 0.5, 0.75, 1.0):
        there = copy.deepcopy(a)
        there.load_state_dict(line(t))
        expected.append(F.cross_entropy(slow(there, x), y).item())
    for strategy in ("loop", "batched", "shared"):
        found = rl.profile(line, objective, points=5, strategy=strategy).curve().mean
        assert found == pytest.approx(expected, rel=1e-9)


def test_a_spec_can_name_it():
    options = {"widths": [6, 5, 3], "fixed": [2, 1], "constant": [1.0, 0.5]}
    net = catalogue.build("masked_fcn", 3, **options)
    assert list(net.state_dict()) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fixed": 6}, "below the number of inputs"),
        ({"fixed": -1}, "from 0"),
        ({"fixed": 0.5}, "whole number"),
        ({"fixed": [1]}, "one for each layer"),
        ({"fixed": 1, "constant": -1.0}, "not negative"),
        ({"fixed": 1, "constant": [1.0]}, "one for each layer"),
        ({"fixed": 1, "constant": float("nan")}, "finite"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        masked_fcn(6, 6, 3, **options)
