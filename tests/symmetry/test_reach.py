"""What of a state the example does not reach: a longer one may, so it stays where it is."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from ridgeline.graph import Network
from ridgeline.symmetry import discover, symmetries
from symmetric import Run, p, seeded
from symmetry.derived import derive, fixed, sizes

L = nn.Linear
VECTOR, TOKENS = torch.randn(2, 5), torch.randn(2, 4, 6)


def tokens(add):
    return lambda m, x: m.o((m.a(x) + add(m, x.shape[1])).relu()).mean(1)


def distances(m, x):
    """A bias for each distance, of a table that is longer."""
    t = x.shape[1]
    d = (torch.arange(t)[:, None] - torch.arange(t)).clamp(-6, 6) + 6
    h = m.a(x)
    scores = (h @ h.mT)[:, None] + m.table[d].permute(2, 0, 1)
    return m.o(scores.softmax(-1).mean(1) @ h).mean(1)


def mixed_tokens(m, x):
    t = x.shape[1]
    return m.o((m.w[:t, :t] @ m.a(x) + m.c[:t, None]).relu()).mean(1)


def table(**parts):
    return {"a": L(6, 8), "o": L(8, 2), **parts}


LONGER = torch.randn(1, 9, 6)
UNSEEN = {
    "sliced": (tokens(lambda m, t: m.t[:t]), {"t": (10, 8)}, [8], ["t", 0, 10]),
    "narrowed": (tokens(lambda m, t: m.t.narrow(0, 0, t)), {"t": (10, 8)}, [8], ["t", 0, 10]),
    "sliced after it was scaled": (
        tokens(lambda m, t: (0.5 * m.t.tanh())[:, :t]),
        {"t": (1, 10, 8)},
        [8],
        ["t", 1, 10],
    ),
    "laid beside another": (
        tokens(lambda m, t: torch.cat([m.s, m.t])[:t]),
        {"s": (1, 8), "t": (10, 8)},
        [8],
        ["t", 0, 10],
    ),
    "by distance": (distances, {"table": (13, 2)}, [2, 8], ["table", 0, 13]),
    "a matrix of positions": (mixed_tokens, {"w": (10, 10), "c": (10,)}, [8], ["c", 0, 10]),
}


@pytest.mark.parametrize("name", UNSEEN)
def test_positions_that_longer_inputs_reach_are_fixed(name):
    run, parts, expected, (tensor, axis, count) = UNSEEN[name]
    made = {k: p(*shape) for k, shape in parts.items()}
    symmetry = derive(seeded(lambda: Run(run, **table(**made)))(), TOKENS, expected, LONGER)
    left = [f for f in symmetry.fixed if (f.tensor, f.axis) == (tensor, axis)]
    assert sum(f.count for f in left) == count


def test_one_position_that_is_reached_and_nine_that_are_not():
    model = Run(tokens(lambda m, t: m.t[:t]), **table(t=p(10, 8)))
    symmetry = derive(model, TOKENS[:, :1], [8], LONGER)
    assert ("t", 0) in fixed(symmetry)


def test_what_no_use_reaches_is_named():
    """A part of the weights: the others are neither proved nor moved."""

    def run(m, x):
        h = F.linear(x, m.a.weight[:4], m.a.bias[:4]).relu()
        return F.linear(h, m.o.weight[:, :4], m.o.bias)

    found = fixed(derive(Run(run, a=L(5, 8), o=L(8, 2)), VECTOR, [4]))
    for place in (("a.weight", 0), ("a.bias", 0), ("o.weight", 1)):
        assert found[place] == "not reached by this example"


@pytest.mark.parametrize("part", ["chunk", "slices", "split", "unbind"])
def test_parts_that_together_are_all_of_a_tensor_reach_it(part):
    def run(m, x):
        w = m.w
        ways = {
            "chunk": lambda: w.chunk(3),
            "slices": lambda: [w[:4], w[4:8], w[8:]],
            "split": lambda: w.split([4, 4, 4]),
            "unbind": lambda: w.view(3, 4, 6).unbind(),
        }
        q, k, v = ways[part]()
        return m.o(((x @ q.T) * (x @ k.T)).tanh() + (x @ v.T).sin()).mean(1)

    symmetry = derive(Run(run, w=p(12, 6), o=L(4, 2)), TOKENS, [4], LONGER)
    assert symmetry.groups[0].fibres * symmetry.groups[0].size == 4
    assert ("w", 0) not in fixed(symmetry)


def test_buffers_are_tables_too():
    """A mask for attention that is longer than the example, and waves of positions."""

    def run(m, x):
        t = x.shape[1]
        h = m.a(x) + m.waves[:t]
        scores = (h @ h.mT).masked_fill(m.mask[:t, :t] == 0, -float("inf"))
        return m.o(scores.softmax(-1) @ h).mean(1)

    model = seeded(lambda: Run(run, a=L(6, 8), o=L(8, 2)))().double()
    model.register_buffer("mask", torch.tril(torch.ones(10, 10)))
    model.register_buffer("waves", torch.sin(torch.arange(80.0).reshape(10, 8)))
    model = model.double()
    symmetry = symmetries(model, TOKENS.double())
    assert sizes(symmetry) == [8]
    assert {("mask", 0), ("mask", 1), ("waves", 0)} <= set(fixed(symmetry))
    state = copy.deepcopy(model.state_dict())
    moved = symmetry.random(3)(state)
    for x in (TOKENS.double(), LONGER.double()):
        one, two = (functional_call(model, s, (x,)) for s in (state, moved))
        torch.testing.assert_close(one, two, rtol=0, atol=1e-10)


def test_data_that_are_no_tensors():
    """A mask that may be absent, a number, a name."""

    class Flagged(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = L(5, 8), L(8, 2)

        def forward(self, x, mask=None, scale=1.0, way="tanh"):
            return self.b(getattr(torch, way)(self.a(x)) * scale)

    example = {"x": VECTOR, "mask": None, "scale": 2.0, "way": "sin"}
    assert sizes(discover(Network(Flagged()), example)) == [8]
    assert sizes(discover(Network(Flagged()), (VECTOR, None, True))) == [8]


def test_a_weight_in_the_shape_of_another_is_reached():
    """Weights standardised in another shape and brought back, as those of NFNets."""

    def standardised(m, x):
        w = F.batch_norm(m.w.reshape(1, 8, -1), None, None, training=True)
        return m.o(x @ w.reshape_as(m.w).T.relu())

    model = seeded(lambda: Run(standardised, w=p(8, 5), o=L(8, 2)))()
    derive(model, VECTOR, [8])
