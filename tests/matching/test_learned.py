"""Learned matching: never worse than its start, exact about its loss, and it learns."""

import pytest
import torch

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.matching import Matched, WeightMatching, align
from ridgeline.matching.learned import Learned, _Latent
from ridgeline.matching.procrustes import Procrustes
from ridgeline.objective import Objective
from rotating import drawn, element, network, outputs


def problem(seed=1, scale=20.0):
    """Two networks with the same outputs' classes, one in other coordinates, and data for them."""
    model, _, symmetry, stream = network("vit")
    a = drawn("vit", seed)
    a["head.weight"] = scale * a["head.weight"]
    x = torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(3)).double()
    with torch.no_grad():
        y = torch.func.functional_call(model, a, x).argmax(1)
    b = element("vit", a, 7)(a)
    return a, b, symmetry, stream, Objective(model, (x, y))


def middle(objective, a, b):
    return float(objective({n: (a[n] + b[n]) / 2 for n in a})["loss"].mean())


def test_what_it_starts_from_is_kept_if_it_is_best():
    a, b, symmetry, stream, objective = problem()
    by = Learned(objective=objective, stream=stream, steps=2, batch=50)
    found = align(a, b, symmetry, by=by)
    assert found.after < 1e-7
    assert found.matched.objective["after"] <= found.matched.objective["before"]


def test_learning_lowers_the_loss_halfway_and_keeps_the_function():
    a, b, symmetry, stream, objective = problem()
    by = Learned(
        objective=objective, stream=stream, init=WeightMatching(), steps=60, rate=0.02, batch=100
    )
    found = align(a, b, symmetry, by=by)
    reached = found.matched.objective
    assert reached["after"] < 0.9 * reached["start"]
    assert reached["after"] == pytest.approx(middle(objective, a, found.state), rel=1e-6)
    torch.testing.assert_close(outputs("vit", found.state), outputs("vit", b), rtol=1e-7, atol=1e-9)
    assert len(found.matched.history) == found.matched.sweeps == 60
    again = align(a, b, symmetry, by=by)
    assert again.matched.history == found.matched.history


def test_latents_carry_as_their_element_does():
    _, _, symmetry, stream = network("vit")
    a = drawn("vit")
    plain = stream.absorb(a)(a)
    latent = _Latent(symmetry, stream, circuits=True)
    draws = torch.Generator().manual_seed(0)
    for free in latent.matrices():
        free.data += 0.5 * torch.randn(free.shape, generator=draws).double()
    soft, hard = latent.carry(plain), latent.element()(plain)
    assert states.distance(hard, plain) > 1
    for name, x in hard.items():
        torch.testing.assert_close(soft[name].detach(), x, rtol=1e-9, atol=1e-10)
    sum(x.square().sum() * k for k, x in enumerate(soft.values(), 1)).backward()
    assert all(m.grad is not None and m.grad.abs().sum() > 0 for m in latent.matrices())


def test_bad_settings_and_starts_are_refused():
    a, b, symmetry, stream, objective = problem()
    with pytest.raises(UsageError, match="rate is positive"):
        Learned(objective=objective, stream=stream, rate=0)
    with pytest.raises(UsageError, match="t lies"):
        Learned(objective=objective, stream=stream, between=(0.6, 0.4))

    class Mixes:
        def match(self, a, b, symmetry, *, seed, progress):
            return Matched(transform=None, state=dict(b))

    by = Learned(objective=objective, stream=stream, init=Mixes(), steps=1)
    with pytest.raises(UsageError, match="starts from a transform"):
        align(a, b, symmetry, by=by)
    assert Procrustes(stream=stream).never_worse
