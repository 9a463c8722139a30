"""Tensors that are no real weights, each by its kind: complex, infinite where a mask is, labels."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ridgeline as rl
from ridgeline import state as states
from ridgeline.errors import NonFinite
from ridgeline.merging import Dare, Mean, Slerp, TaskArithmetic, Ties, running_average

GENERATOR = torch.Generator().manual_seed(0)


def drawn(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=GENERATOR, dtype=dtype)


def complexes():
    return {
        "w": drawn(3, 2, dtype=torch.complex64),
        "b": drawn(4),
        "n": torch.tensor(3),
        "mask": torch.tensor([True, False]),
    }


A, B, C = complexes(), complexes(), complexes()


def flat(state):
    """As one real vector of NumPy."""
    parts = [state["w"].numpy().real, state["w"].numpy().imag, state["b"].numpy()]
    return np.concatenate([x.astype(np.float64).ravel() for x in parts])


def test_geometry_counts_complex_numbers_as_two_reals():
    p, q = flat(A), flat(B)
    assert states.distance(A, B) == pytest.approx(np.linalg.norm(p - q))
    assert states.norm(A) == pytest.approx(np.linalg.norm(p))
    assert states.dot(A, B) == pytest.approx(p @ q)
    r = flat(C)
    want = (p - r) @ (q - r) / np.linalg.norm(p - r) / np.linalg.norm(q - r)
    assert states.cosine(A, B, origin=C) == pytest.approx(want)
    assert states.compare(A, B)[""].size == len(p)
    assert list(states.layers(A)) == ["w", "b"]


@pytest.mark.parametrize(
    ("made", "want"),
    [
        (lambda: rl.Line(A, B)(0.25), lambda: 0.75 * flat(A) + 0.25 * flat(B)),
        (lambda: states.lerp(A, B, 0.25), lambda: 0.75 * flat(A) + 0.25 * flat(B)),
        (lambda: rl.Polygon(A, B, C)(0.75), lambda: (flat(B) + flat(C)) / 2),
        (lambda: rl.Bezier(A, B, C)(0.5), lambda: flat(A) / 4 + flat(B) / 2 + flat(C) / 4),
        (lambda: states.mean([A, B, C]), lambda: (flat(A) + flat(B) + flat(C)) / 3),
        (lambda: states.add(A, B, 0.5), lambda: flat(A) + 0.5 * flat(B)),
        (lambda: states.scale(A, 3), lambda: 3 * flat(A)),
        (lambda: rl.merge([A, B]).state, lambda: (flat(A) + flat(B)) / 2),
        (
            lambda: rl.merge([A, B], by=TaskArithmetic(), weights=[0.5, 0.5], base=C).state,
            lambda: (flat(A) + flat(B)) / 2,
        ),
        (lambda: running_average([A, B, C]).state, lambda: (flat(A) + flat(B) + flat(C)) / 3),
    ],
)
def test_complex_numbers_are_interpolated_and_merged(made, want):
    found = made()
    assert found["w"].dtype == torch.complex64 and found["w"].shape == (3, 2)
    assert flat(found) == pytest.approx(want(), abs=1e-6)
    assert torch.equal(found["mask"], A["mask"])


def test_a_tangent_is_complex_where_the_weight_is():
    for path in (rl.Line(A, B), rl.Polygon(A, B)):
        assert torch.allclose(path.tangent(0.3)["w"], B["w"] - A["w"], atol=1e-6)


def test_random_directions_are_complex_and_leave_masks():
    state = masked() | {"c": drawn(4, 3, dtype=torch.complex64)}
    found = rl.Plane.random(state, seed=1)(0.5, 0.5)
    assert torch.equal(found["attention.mask"], state["attention.mask"])
    away = found["c"] - state["c"]
    assert float(away.real.abs().min()) > 0 and float(away.imag.abs().min()) > 0
    sizes = [torch.linalg.vector_norm(x["c"], dim=1) for x in (rl.Plane.random(state).b, state)]
    assert found["c"].dtype == torch.complex64 and torch.isfinite(sizes[0]).all()


class Spectrum(nn.Module):
    """A layer of a Fourier operator."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(5, 4, dtype=torch.complex64))
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(torch.fft.irfft(torch.fft.rfft(x)[:, :5] @ self.w, n=4))


@pytest.mark.parametrize("strategy", ["loop", "shared", "batched"])
def test_a_profile_of_a_complex_network_is_that_of_a_plain_loop(strategy):
    nets = []
    for seed in range(2):
        torch.manual_seed(seed)
        nets.append(Spectrum())
    x, y = torch.randn(20, 8), torch.arange(20) % 3
    a, b = (rl.state.capture(net) for net in nets)
    want = []
    for t in (0, 0.5, 1):
        net = Spectrum()
        net.load_state_dict({n: (1 - t) * a[n] + t * b[n] for n in a})
        with torch.no_grad():
            want.append(float(F.cross_entropy(net(x), y)))
    goal = rl.Objective(nets[0], (x, y))
    found = rl.profile(rl.Line(a, b), goal, points=3, strategy=strategy)
    assert found.curve().mean == pytest.approx(want, abs=1e-6)
    wide = rl.profile(rl.Line(a, b), rl.Objective(nets[0], (x, y), dtype=torch.float64), points=3)
    assert wide.curve().mean == pytest.approx(want, abs=1e-6)


# --- infinities of masks -------------------------------------------------------------------------


def masked(finite=0.0):
    mask = torch.triu(torch.full((4, 4), -torch.inf), 1) + torch.tril(torch.full((4, 4), finite))
    return {"attention.mask": mask, "w": drawn(3, 3)}


PAIR = masked(), masked()


def nowhere_nan(state):
    return not any(bool(x.isnan().any()) for x in state.values())


@pytest.mark.parametrize(
    "made",
    [
        lambda a, b: rl.Line(a, b)(0.3),
        lambda a, b: rl.Bezier(a, b, a)(0.3),
        lambda a, b: states.lerp(a, b, 0.3),
        lambda a, b: states.mean([a, b]),
        rl.midpoint,
        lambda a, b: running_average([a, b]).state,
        *(
            lambda a, b, by=by, base=base: (
                rl.merge([a, b], by=by, base=masked() if base else None).state
            )
            for by, base in [
                *((Mean(), False), (Slerp(), False), (TaskArithmetic(), True)),
                *((Ties(), True), (Dare(drop=0.5), True)),
            ]
        ),
    ],
)
def test_minus_infinity_between_two_is_minus_infinity(made):
    found = made(*PAIR)
    assert torch.equal(found["attention.mask"], PAIR[0]["attention.mask"])
    assert nowhere_nan(found) and not torch.equal(found["w"], PAIR[0]["w"])


def test_what_is_finite_beside_them_moves():
    a, b = masked(-1.0), masked(-3.0)
    want = masked(-1.5)["attention.mask"]
    for found in (rl.Line(a, b)(0.25), states.lerp(a, b, 0.25)):
        assert torch.equal(found["attention.mask"], want)
    assert torch.equal(rl.merge([a, b]).state["attention.mask"], masked(-2.0)["attention.mask"])
    assert states.distance(a, b, names=["attention.mask"]) == pytest.approx((10 * 4) ** 0.5)


def test_distances_and_norms_are_of_the_rest():
    a, b = PAIR
    alone = [{"w": x["w"]} for x in PAIR]
    assert states.distance(a, b) == pytest.approx(states.distance(*alone))
    assert states.norm(a) == pytest.approx(states.norm(alone[0]))
    assert states.cosine(a, b) == pytest.approx(states.cosine(*alone))
    moved = states.add(a, states.subtract(b, a))
    assert torch.equal(moved["attention.mask"], a["attention.mask"])
    assert torch.allclose(moved["w"], b["w"])
    assert float(states.subtract(b, a)["attention.mask"].abs().max()) == 0


def with_value(at, value, name="attention.mask"):
    state = masked()
    state[name][at] = value
    return state


@pytest.mark.parametrize(
    ("a", "b", "named"),
    [
        (with_value((0, 0), torch.nan), with_value((0, 0), torch.nan), r"mask \(1 NaN"),
        (with_value((0, 0), -torch.inf), masked(), r"attention\.mask"),
        (masked(), with_value((0, 1), torch.inf), r"attention\.mask"),
        (with_value((0, 0), torch.inf, "w"), masked(), r"w \(0 NaN, 1 infinite"),
    ],
)
def test_infinities_that_differ_and_nan_are_refused_by_name(a, b, named):
    for call in (lambda: rl.Line(a, b), lambda: rl.merge([a, b])):
        with pytest.raises(NonFinite, match=named):
            call()


@pytest.mark.parametrize(
    "state",
    [
        {"mask": torch.tensor([0.0, torch.inf])},
        {"mask": torch.tensor([1.0, -torch.inf])},
        {"mask": torch.tensor([-torch.inf, -torch.inf])},
        {"bias": torch.tensor([0.0, -torch.inf])},
        {"w": torch.tensor([1 + 1j, complex(torch.nan, 0)])},
    ],
)
def test_other_infinities_of_one_state_are_a_divergence(state):
    with pytest.raises(NonFinite):
        states.check_finite(state)


class Causal(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.h = nn.Embedding(11, 8), nn.Linear(8, 11)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.register_buffer("mask", torch.triu(torch.full((5, 5), -torch.inf), 1))

    def forward(self, x):
        z = self.e(x)
        return self.h(z + self.attention(z, z, z, attn_mask=self.mask, need_weights=False)[0])


@pytest.mark.parametrize("strategy", ["loop", "shared", "batched"])
def test_a_causal_transformer_has_a_profile(strategy):
    ends = []
    for seed in range(2):
        torch.manual_seed(seed)
        ends.append(rl.state.capture(Causal()))
    x = torch.randint(0, 11, (12, 5))
    want = []
    for t in (0, 0.5, 1):
        net = Causal()
        mixed = {n: torch.lerp(p, ends[1][n], t) for n, p in ends[0].items() if n != "mask"}
        net.load_state_dict(mixed | {"mask": ends[0]["mask"]})
        with torch.no_grad():
            want.append(float(F.cross_entropy(net(x).flatten(0, 1), x.flatten())))
    goal = rl.Objective(Causal(), (x, x))
    found = rl.profile(rl.Line(*ends), goal, points=3, strategy=strategy)
    assert found.curve().mean == pytest.approx(want, abs=1e-6)
