"""Vectors of spectral normalisation are those of the weight, wherever a state is made."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

import ridgeline as rl
from ridgeline import state as states
from ridgeline.merging import running_average


def new(layer):
    return parametrizations.spectral_norm(layer)


def old(layer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.utils.spectral_norm(layer)


LAYERS = {
    "linear": lambda: nn.Linear(6, 9),
    "square": lambda: nn.Linear(7, 7),
    "convolution": lambda: nn.Conv1d(3, 5, 2),
    "transposed": lambda: nn.ConvTranspose1d(4, 5, 3),
    "transposed, square": lambda: nn.ConvTranspose1d(4, 4, 3),
}
INPUTS = {"linear": (6,), "square": (7,), "convolution": (3, 8)}


class Net(nn.Module):
    def __init__(self, wrap, kind):
        super().__init__()
        self.layer = wrap(LAYERS[kind]())
        self.head = nn.LazyLinear(3)

    def forward(self, x):
        return self.head(torch.relu(self.layer(x)).flatten(1))


def built(wrap, kind, seed, converged=True):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = Net(wrap, kind)
        x = torch.randn(30, *INPUTS.get(kind, (4, 8)))
        net(x)
        net = net.double()
        return net, settle(net, x.double()) if converged else rl.state.capture(net), x.double()


def settle(net, x):
    """As much training as brings the vectors to the weight's own."""
    net.train()
    with torch.no_grad():
        for _ in range(300):
            net(x)
    return rl.state.capture(net)


def by_loop(wrap, kind, state, x, y):
    """The loss of weights whose power iterations have come to their end."""
    net, _, _ = built(wrap, kind, 9)
    net.load_state_dict(state)
    settle(net, x)
    net.eval()
    with torch.no_grad():
        return float(F.cross_entropy(net(x), y))


@pytest.mark.parametrize("wrap", [new, old])
@pytest.mark.parametrize("kind", list(LAYERS))
def test_a_profile_is_that_of_normalised_weights(wrap, kind):
    (net, a, x), (_, b, _) = (built(wrap, kind, seed) for seed in (0, 1))
    y = torch.arange(30) % 3
    goal = rl.Objective(net, (x, y), dtype=torch.float64)
    for strategy in ("loop", "batched", "shared"):
        found = rl.profile(rl.Line(a, b), goal, points=5, strategy=strategy).curve().mean
        want = [
            by_loop(wrap, kind, {n: torch.lerp(p, b[n], t) for n, p in a.items()}, x, y)
            for t in (0, 0.25, 0.5, 0.75, 1)
        ]
        assert found == pytest.approx(want, abs=1e-7)


@pytest.mark.parametrize("wrap", [new, old])
@pytest.mark.parametrize(
    "made",
    [
        lambda a, b: rl.merge([a, b]).state,
        rl.midpoint,
        lambda a, b: states.mean([a, b]),
        lambda a, b: rl.Line(a, b)(0.5),
        lambda a, b: rl.Line(a, b, layers=["layer"])(0.5),
        lambda a, b: rl.Bezier(a, b)(0.5),
        lambda a, b: running_average([a, b]).state,
        lambda a, b: rl.merge([a, b], layers=["layer"]).state,
    ],
)
def test_a_state_that_is_made_has_a_spectral_norm_of_one(wrap, made):
    (net, a, x), (_, b, _) = (built(wrap, "square", seed) for seed in (0, 1))
    net.load_state_dict(made(a, b))
    net.eval()
    with torch.no_grad():
        net(x)
        assert float(torch.linalg.matrix_norm(net.layer.weight, 2)) == pytest.approx(1)


@pytest.mark.parametrize("wrap", [new, old])
def test_a_state_that_is_given_keeps_its_own(wrap):
    """Also where they are not yet the weight's: the loss at an end is the checkpoint's."""
    (net, a, x), (_, b, _) = (built(wrap, "linear", seed, converged=False) for seed in (0, 1))
    line, y = rl.Line(a, b), torch.arange(30) % 3
    for state, t in ((a, 0), (b, 1)):
        assert all(torch.equal(x, state[n]) for n, x in line(t).items())
        net.load_state_dict(state)
        net.eval()
        with torch.no_grad():
            want = float(F.cross_entropy(net(x), y))
        goal = rl.Objective(net, (x, y), dtype=torch.float64)
        assert float(goal(state)["loss"].mean()) == pytest.approx(want)
    assert all(torch.equal(x, a[n]) for n, x in states.mean([a, a]).items())
    assert all(torch.equal(x, a[n]) for n, x in rl.merge([a, a]).state.items())


@pytest.mark.parametrize("wrap", [new, old])
def test_distances_leave_them_out_and_a_merge_names_them(wrap):
    (_, a, _), (_, b, _) = (built(wrap, "linear", seed) for seed in (0, 1))
    vectors = set(states.spectral_vectors(a))
    assert len(vectors) == 2 and not vectors & set(states.coordinates(a))
    rest = [n for n in a if n not in vectors]
    assert states.distance(a, b) == pytest.approx(states.distance(a, b, names=rest))
    assert not vectors & rl.Line(a, b).tangent(0.5).keys()
    note = next(n for n in rl.merge([a, b]).notes if "spectral" in n)
    assert all(v in note for v in vectors)


@pytest.mark.parametrize("shape", [(9, 5), (5, 9), (6, 6)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_iterations_and_the_exact_way_find_the_same(shape, dtype, monkeypatch):
    draws = torch.Generator().manual_seed(0)
    matrix, noise = (torch.randn(shape, generator=draws, dtype=dtype) for _ in range(2))
    left, _, right = torch.linalg.svd(matrix + 0.3 * noise)
    for most in (1024, 1):
        monkeypatch.setattr("ridgeline.state.spectral.EXACT", most)
        u, v = states.vectors_of(matrix, left[:, 0], right[0].conj())
        size = (u.conj() @ (matrix @ v)).real
        assert float(size) == pytest.approx(float(torch.linalg.matrix_norm(matrix, 2)), rel=1e-9)


def test_names_that_only_look_alike_are_weights():
    state = {"gate_u": torch.ones(2), "gate_v": torch.ones(2), "a.weight_u": torch.ones(3)}
    assert not states.spectral_vectors(state) and set(states.coordinates(state)) == set(state)
