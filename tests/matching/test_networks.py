"""Matching on symmetries that were discovered, with batch normalisation, heads and streams."""

import pytest
import torch

from ridgeline import nets
from ridgeline import state as states
from ridgeline.matching import align
from ridgeline.matching.weights import WeightMatching
from ridgeline.symmetry.discovery import discover
from ridgeline.tracing import Network

IMAGES = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
TOKENS = torch.randint(0, 11, (3, 6), generator=torch.Generator().manual_seed(0))
PLAIN = torch.randn(4, 12, generator=torch.Generator().manual_seed(0))

NETWORKS = {
    "fcn": (lambda seed: nets.fcn(12, 20, 20, 5, seed=seed), PLAIN),
    "resnet20": (lambda seed: nets.resnet20(width=4, seed=seed), IMAGES),
    "resnet20 without norm": (lambda seed: nets.resnet20(width=4, norm=None, seed=seed), IMAGES),
    "vit": (lambda seed: nets.vit(size=8, width=32, depth=1, seed=seed), IMAGES[:, :, :8, :8]),
    "transformer": (lambda seed: nets.transformer(11, 6, seed=seed), TOKENS),
}


def made(name, seed):
    model = NETWORKS[name][0](seed)
    draw = torch.Generator().manual_seed(seed)
    state = states.capture(model)
    drawn = {}
    for n, x in state.items():  # as if trained: statistics and scales that tell channels apart
        noise = torch.rand(x.shape, generator=draw)
        drawn[n] = x + 0.1 * noise if x.is_floating_point() else x
    model.load_state_dict(drawn)
    return model.eval(), states.capture(model)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_a_planted_element_of_a_discovered_symmetry_is_found(name):
    model, a = made(name, 0)
    symmetry = discover(Network(model), NETWORKS[name][1])
    b = symmetry.random(5)(a)
    found = align(a, b, symmetry, by=WeightMatching(restarts=2))
    assert found.before > 1
    assert found.after == 0
    assert all(torch.equal(a[n], found.state[n]) for n in a)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_the_function_is_kept_in_evaluation_mode(name):
    model, b = made(name, 1)
    _, a = made(name, 2)
    example = NETWORKS[name][1]
    symmetry = discover(Network(model), example)
    with torch.no_grad():
        wanted = model(example)
        found = align(a, b, symmetry)
        model.load_state_dict(found.state)
        torch.testing.assert_close(model(example), wanted, atol=2e-4, rtol=2e-4)
    assert found.after < found.before
