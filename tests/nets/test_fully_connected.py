import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from ridgeline import rng
from ridgeline.errors import UnknownName, UsageError
from ridgeline.nets import autoencoder, fcn

WIDTHS = st.lists(st.integers(1, 9), min_size=2, max_size=5)
INITS = st.sampled_from(["he", "xavier", "orthogonal", "torch"])
NORMS = st.sampled_from([None, "batch", "layer"])


@settings(deadline=None, max_examples=50, derandomize=True)
@given(widths=WIDTHS, init=INITS, norm=NORMS, bias=st.booleans(), seed=st.integers(0, 2**40))
def test_a_network_is_its_seed_and_draws_nothing_else(widths, init, norm, bias, seed):
    before = torch.get_rng_state()
    nets = [fcn(*widths, init=init, norm=norm, bias=bias, seed=seed) for _ in range(2)]
    assert torch.equal(before, torch.get_rng_state())
    first, second = (net.state_dict() for net in nets)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert ("fc1.bias" in first) == bias
    outputs = nets[0].eval()(torch.ones(3, widths[0]))
    assert outputs.shape == (3, widths[-1])
    assert torch.isfinite(outputs).all()


def test_names_are_conventional():
    assert [name for name, _ in fcn(4, 3, 2, norm="layer").named_children()] == [
        "flatten",
        "fc1",
        "norm1",
        "act1",
        "fc2",
    ]


def test_images_are_flattened():
    assert fcn(12, 5, 2)(torch.zeros(7, 3, 2, 2)).shape == (7, 2)


def test_the_forward_pass_is_the_formula():
    net = fcn(3, 4, 2, activation="tanh", seed=5).double()
    s, x = net.state_dict(), torch.randn(6, 3, generator=rng.stream(0, "x")).double()
    hidden = torch.tanh(x @ s["fc1.weight"].T + s["fc1.bias"])
    torch.testing.assert_close(net(x), hidden @ s["fc2.weight"].T + s["fc2.bias"])


@pytest.mark.parametrize(
    ("init", "deviation"), [("he", (2 / 400) ** 0.5), ("xavier", (2 / 700) ** 0.5)]
)
def test_weights_have_the_stated_variance(init, deviation):
    state = fcn(400, 300, 2, init=init).state_dict()
    assert float(state["fc1.weight"].std()) == pytest.approx(deviation, rel=0.01)
    assert not state["fc1.bias"].any()


def test_orthogonal_rows_are_orthonormal():
    weight = fcn(20, 8, 2, init="orthogonal").state_dict()["fc1.weight"]
    torch.testing.assert_close(weight @ weight.T, torch.eye(8), atol=1e-5, rtol=0)


def test_torch_draws_biases_within_its_bound():
    state = fcn(25, 400, 2, init="torch").state_dict()
    for tensor in (state["fc1.weight"], state["fc1.bias"]):
        assert 0.19 < float(tensor.abs().max()) <= 0.2


@pytest.mark.parametrize("init", ["he", "torch"])
def test_scale_multiplies_weights_and_nothing_else(init):
    plain, scaled = (fcn(5, 4, 3, init=init, scale=c).state_dict() for c in (1.0, 4.0))
    for name, tensor in plain.items():
        assert torch.equal(scaled[name], tensor * 4 if name.endswith("weight") else tensor)


def test_another_layer_does_not_move_the_draws_of_the_first():
    assert torch.equal(fcn(5, 4, 3).fc1.weight, fcn(5, 4, 4, 3).fc1.weight)


def test_seeds_differ():
    assert not torch.equal(fcn(5, 4, seed=0).fc1.weight, fcn(5, 4, seed=1).fc1.weight)


@pytest.mark.parametrize(
    ("options", "near"),
    [({"activation": "rleu"}, "relu"), ({"norm": "bacth"}, "batch"), ({"init": "xavir"}, "xavier")],
)
def test_an_unknown_name_lists_the_known(options, near):
    with pytest.raises(UnknownName, match=f"Did you mean '{near}'"):
        fcn(4, 3, 2, **options)


@pytest.mark.parametrize("widths", [(), (4,), (4, 0), (4, -1, 2), (4, 2.0), (True, 2)])
def test_impossible_widths_are_refused(widths):
    with pytest.raises(UsageError):
        fcn(*widths)


def test_a_scale_must_be_finite():
    with pytest.raises(UsageError, match="`scale` must be finite"):
        fcn(4, 2, scale=float("nan"))


@pytest.mark.parametrize(
    ("bias", "expected"),
    [(True, {1, 2, 3}), (False, set()), ("last", {3}), ([1, 3], {1, 3}), ((2,), {2})],
)
def test_biases_in_chosen_layers(bias, expected):
    names = dict(fcn(6, 5, 4, 3, bias=bias).named_parameters())
    assert {k for k in (1, 2, 3) if f"fc{k}.bias" in names} == expected


@pytest.mark.parametrize("bias", ["first", [0], [4], [1.5]])
def test_biases_of_no_layer_are_refused(bias):
    with pytest.raises(UsageError, match="`bias` is"):
        fcn(6, 5, 4, 3, bias=bias)


def test_an_autoencoder_goes_down_and_up_again():
    net = autoencoder(12, 8, 3, activation="tanh")
    shapes = {n: tuple(p.shape) for n, p in net.named_parameters() if p.ndim > 1}
    assert shapes == {
        "encoder.fc1.weight": (8, 12),
        "encoder.fc2.weight": (3, 8),
        "decoder.fc1.weight": (8, 3),
        "decoder.fc2.weight": (12, 8),
    }
    assert net(torch.zeros(2, 3, 4)).shape == (2, 12)
    assert not torch.equal(net.encoder.fc1.weight, net.decoder.fc2.weight.T)
    with pytest.raises(UsageError, match="at least a number of inputs"):
        autoencoder(12)
