"""What every network of the catalogue owes."""

import inspect

import pytest
import torch

from ridgeline import nets
from ridgeline.errors import UnknownName, UsageError

SMALL = {
    "fcn": ({"widths": [6, 5, 3]}, (6,)),
    "autoencoder": ({"widths": [6, 5, 2]}, (6,)),
    "masked_fcn": ({"widths": [6, 5, 3], "fixed": 2}, (6,)),
    "lenet": ({"size": 16}, (1, 16, 16)),
    "vgg": ({"depth": 13, "width": 0.05}, (3, 32, 32)),
    "vgg11": ({"width": 0.05, "norm": "batch"}, (3, 28, 28)),
    "vgg16": ({"width": 0.05, "norm": "layer"}, (3, 32, 32)),
    "resnet18": ({"width": 4, "norm": "layer"}, (3, 16, 16)),
    "resnet20": ({"width": 4, "norm": "fixup"}, (3, 16, 16)),
    "vit": ({"size": 8, "width": 8, "heads": 2, "depth": 1}, (3, 8, 8)),
    "transformer": ({"vocabulary": 11, "length": 5, "width": 8, "heads": 2}, (5,)),
    "lstm": ({"hidden": 6, "layers": 2}, (7,)),
    "soft_trees": ({"features": 6, "outputs": 3, "trees": 4}, (6,)),
}


def inputs_of(kind, count=2):
    draws = torch.Generator().manual_seed(0)
    shape = (count, *SMALL[kind][1])
    if kind == "transformer":
        return torch.randint(11, shape, generator=draws)
    return torch.randn(shape, generator=draws)


def build(kind, seed=0, **more):
    return nets.build(kind, seed, **SMALL[kind][0], **more)


def test_every_kind_is_here():
    assert set(SMALL) == set(nets.KINDS)
    for kind, function in nets.KINDS.items():
        assert getattr(nets, kind) is function
        parameters = inspect.signature(function).parameters
        assert parameters["seed"].default == 0
        assert parameters["scale"].default == 1.0


@pytest.mark.parametrize("kind", SMALL)
def test_the_same_seed_is_the_same_network_and_draws_nothing_else(kind):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second, other = build(kind, 1), build(kind, 1), build(kind, 2)
    assert torch.equal(before, torch.get_rng_state())
    a, b, c = first.state_dict(), second.state_dict(), other.state_dict()
    assert list(a) == list(b) == list(c)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert any(not torch.equal(a[name], c[name]) for name in a)
    assert all(x.isfinite().all() for x in a.values())


@pytest.mark.parametrize("kind", SMALL)
def test_it_runs_and_every_parameter_matters(kind):
    net, x = build(kind), inputs_of(kind)
    if kind == "resnet20":  # Fixup's zeros hide what stands before them
        for p in net.parameters():
            p.data.add_(0.01)
    outputs = net(x)
    assert outputs.isfinite().all()
    outputs.square().sum().backward()
    for name, p in net.named_parameters():
        assert p.grad is not None, name


@pytest.mark.parametrize("kind", SMALL)
def test_the_scale_multiplies_first_weights(kind):
    plain, scaled = build(kind).state_dict(), build(kind, scale=0.5).state_dict()
    weights = [name for name, x in plain.items() if x.ndim > 1 and name not in ("token", "bias")]
    if kind == "transformer":
        assert "token.weight" in weights
        weights.append("token.weight")
    for name in weights:
        torch.testing.assert_close(scaled[name], 0.5 * plain[name])
    with pytest.raises(UsageError, match="`scale`"):
        build(kind, scale=float("inf"))


@pytest.mark.parametrize("kind", SMALL)
def test_sizes_that_are_not_positive_are_refused(kind):
    wrong = {
        "fcn": {"widths": [6, 0]},
        "autoencoder": {"widths": [6, 0]},
        "masked_fcn": {"widths": [6, 0]},
    }
    options = {
        **SMALL[kind][0],
        **wrong.get(kind, {"channels": 0} if "channels" in nets.options_of(kind) else {}),
    }
    if kind == "transformer":
        options["depth"] = 0
    if kind == "lstm":
        options["hidden"] = 0
    if kind == "soft_trees":
        options["trees"] = 0
    with pytest.raises(UsageError, match="at least 1"):
        nets.build(kind, 0, **options)


def test_a_layer_more_leaves_the_draws_of_others():
    short, long = nets.fcn(6, 5, 3), nets.fcn(6, 5, 5, 3)
    assert torch.equal(short.fc1.weight, long.fc1.weight)
    assert torch.equal(nets.vgg11().features[0].weight, nets.vgg16().features[0].weight)


def test_names_and_options_that_are_not_known():
    with pytest.raises(UnknownName, match="Did you mean 'resnet20'"):
        nets.build("resnet", 0)
    with pytest.raises(UnknownName, match="Did you mean 'activation'"):
        nets.build("fcn", 0, widths=[3, 2], activaton="relu")
    with pytest.raises(UnknownName, match="kind of network"):
        nets.options_of("fnc")
    with pytest.raises(UsageError, match="needs `vocabulary`, `length`"):
        nets.build("transformer", 0)
    with pytest.raises(UsageError, match="could not be built"):
        nets.build("fcn", 0, widths=[3, 2], scale="big")


def test_options_have_their_defaults():
    assert nets.options_of("resnet20")["width"] == 16
    assert "seed" not in nets.options_of("resnet20")
    assert nets.options_of("mine:build") == {}


def test_networks_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_nets.py").write_text(
        "import torch\n"
        "def plain(width=4):\n    return torch.nn.Linear(3, width)\n"
        "def seeded(seed, width):\n    return plain(width + seed)\n"
        "def wrong():\n    return 3\n"
    )
    before = torch.get_rng_state()
    a, b, c = (nets.build("own_nets:plain", s, width=5) for s in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(a.weight, b.weight)
    assert not torch.equal(a.weight, c.weight)
    assert a.weight.shape == (5, 3)
    assert nets.build("own_nets:seeded", 2, width=4).weight.shape == (6, 3)
    with pytest.raises(UsageError, match=r"must return a torch\.nn\.Module"):
        nets.build("own_nets:wrong", 0)
