"""Streams and circuits: which networks have them, and that their elements keep the function."""

import pytest
import torch
from torch import nn

from ridgeline import nets
from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.symmetry import Group, Place, symmetries
from ridgeline.symmetry.mixing import Mixing, mixed_along
from ridgeline.symmetry.scales import rescalable
from ridgeline.symmetry.streams import orthogonal, streams
from rotating import NAMES, TOKENS, drawn, element, network, outputs


@pytest.mark.parametrize("name", NAMES)
def test_streams_are_found_with_their_gains_and_circuits(name):
    _, _, symmetry, stream = network(name)
    assert stream.group.size == 12
    assert stream.centred == (name != "rms")  # LayerNorm keeps the vector of ones
    wanted = {"blocks.0.norm1.weight", "blocks.0.norm2.weight", "norm.weight"}
    assert {n for n, _ in stream.gains} == wanted
    assert [c.group.fibres for c in stream.circuits] == [2, 2]
    assert {c.group.inside for c in stream.circuits} <= {g.name for g in symmetry.groups}


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_random_elements_keep_the_function_and_have_inverses(name, mixed):
    state = drawn(name)
    g = element(name, state, 3, mixed=mixed)
    after = g(state)
    assert states.distance(state, after) > 1
    torch.testing.assert_close(outputs(name, after), outputs(name, state), rtol=1e-9, atol=1e-11)
    assert states.distance(g.inverse()(after), state) < 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_absorbed_gains_are_one(name):
    stream, state = network(name)[3], drawn(name)
    after = stream.absorb(state)(state)
    for gain, _ in stream.gains:
        torch.testing.assert_close(after[gain], torch.ones(12, dtype=torch.float64))
    torch.testing.assert_close(outputs(name, after), outputs(name, state), rtol=1e-9, atol=1e-11)


def test_a_gain_of_zero_is_refused():
    state = drawn("rms")
    state["norm.weight"][3] = 0
    with pytest.raises(UsageError, match=r"norm\.weight"):
        network("rms")[3].absorb(state)


def test_a_layer_norm_stream_may_not_be_rotated_by_just_any_matrix():
    stream, state = network("vit")[3], drawn("vit")
    q, _ = torch.linalg.qr(torch.randn(12, 12, dtype=torch.float64))
    plain = stream.absorb(state)(state)
    off = outputs("vit", stream.rotation(q)(plain)) - outputs("vit", state)
    assert float(off.abs().max()) > 1e-4


def test_networks_without_a_stream_say_why():
    tied = nets.transformer(11, 6, width=12, heads=2, depth=1).eval()
    with pytest.raises(UsageError, match=r"nothing absorbs norm\.weight"):
        streams(rescalable(symmetries(tied, TOKENS), tied, TOKENS), tied, TOKENS)
    plain, x = nets.fcn(6, 8, 3), torch.randn(2, 6)
    with pytest.raises(UsageError, match="no normalisation layer"):
        streams(rescalable(symmetries(plain, x), plain, x), plain, x)
    positive = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 3))
    with pytest.raises(UsageError, match="rotations change"):
        streams(rescalable(symmetries(positive, x), positive, x), positive, x)


@pytest.mark.parametrize("centred", [False, True])
def test_procrustes_finds_a_rotation_and_is_best_among_many(centred):
    draws = torch.Generator().manual_seed(0)
    b = torch.randn(7, 30, generator=draws, dtype=torch.float64)
    a = torch.randn(7, 30, generator=draws, dtype=torch.float64)
    best = orthogonal(a @ b.T, centred=centred)
    torch.testing.assert_close(best @ best.T, torch.eye(7).double())
    if centred:
        torch.testing.assert_close(best @ torch.ones(7).double(), torch.ones(7).double())
    torch.testing.assert_close(orthogonal(best @ b @ b.T, centred=centred), best)
    for _ in range(50):
        noise = 0.1 * torch.randn(7, 7, generator=draws, dtype=torch.float64)
        near = orthogonal(best + noise, centred=centred)
        assert (a - best @ b).square().sum() <= (a - near @ b).square().sum() + 1e-12


def test_mixing_is_the_matrix_product_of_each_fibre():
    index = torch.arange(12).reshape(2, 3, 2).numpy()
    x, matrices = torch.randn(4, 12).double(), torch.randn(2, 3, 3).double()
    place = Place("x", 1, index)
    slow = x.clone()
    for f in range(2):
        for i in range(3):
            for w in range(2):
                slow[:, index[f, i, w]] = sum(
                    matrices[f, i, j] * x[:, index[f, j, w]] for j in range(3)
                )
    torch.testing.assert_close(mixed_along(x, place, matrices), slow)
    group = Group("g", (place, Place("y", 0, index)))
    state = {"x": x, "y": torch.randn(12, 5).double()}
    after = state | Mixing(group, (1, -1), matrices).changed(state)
    torch.testing.assert_close(after["x"] @ after["y"], state["x"] @ state["y"])
    with pytest.raises(UsageError, match="matrices of shape"):
        Mixing(group, (1, -1), matrices[:1])
    with pytest.raises(UsageError, match="-1, 0 or 1"):
        Mixing(group, (2, -1), matrices)
